from tollway.admin import probe_limits
from tollway.admin.probe_limits import HOUR_MS, ProbeLimits
from tollway.errors import Code
from tollway.identity.owned import Owner, OwnerKind
from unit.gateway.fakes import Clock

ANN, BOB = Owner(OwnerKind.USER, "ann"), Owner(OwnerKind.USER, "bob")


def limits(clock: Clock, most: int = 2) -> ProbeLimits:
    return ProbeLimits(most, lambda: int(clock.now * 1000))


def test_each_owner_has_so_many_an_hour() -> None:
    clock = Clock()
    counted = limits(clock)
    assert [counted.take(ANN), counted.take(ANN), counted.take(BOB)] == [None] * 3
    refused = counted.take(ANN)
    assert refused is not None
    assert (refused.code, refused.retry_after_s) == (Code.RATE_LIMITED, HOUR_MS // 1000 + 1)
    clock.now += HOUR_MS / 1000 + 1
    assert counted.take(ANN) is None


def test_an_organization_is_another_owner_than_the_user_of_that_id() -> None:
    counted = limits(Clock(), most=1)
    assert counted.take(ANN) is None
    assert counted.take(Owner(OwnerKind.ORGANIZATION, "ann")) is None


def test_so_many_owners_are_remembered(monkeypatch) -> None:
    monkeypatch.setattr(probe_limits, "OWNERS_MAX", 2)
    counted = limits(Clock(), most=1)
    for name in ("ann", "bob", "cid"):
        assert counted.take(Owner(OwnerKind.USER, name)) is None
    assert counted.take(BOB) is not None
    assert counted.take(ANN) is None  # forgotten, as the one who came longest ago
