from structlog.testing import capture_logs

from tollway.errors import Code, Quota
from tollway.gateway.logins import Logins
from tollway.identity.caller import Refusal
from tollway.limits.addresses import login_name
from tollway.observability.metrics import Metrics
from tollway.settings import parse
from unit.gateway.fakes import Clock


def logins(clock: Clock, metrics: Metrics | None = None, **settings: object) -> Logins:
    return Logins(parse(settings), b"secret", metrics or Metrics(), clock)


def fail(made: Logins, address: str = "192.0.2.1", user_id: str | None = None, is_repeated: bool = False) -> None:
    made.count(address, Refusal("no good", user_id), is_repeated=is_repeated)


def test_twenty_a_minute() -> None:
    clock, metrics = Clock(), Metrics()
    made = logins(clock, metrics)
    for _ in range(20):
        assert made.refusal("192.0.2.1") is None
        fail(made)
    clock.now += 0.5
    problem = made.refusal("192.0.2.1")
    assert problem
    assert (problem.code, problem.http_status, problem.retry_after_s) == (Code.RATE_LIMITED, 429, 60)
    assert problem.quota == Quota(20, 60)
    assert made.refusal("192.0.2.2") is None
    assert metrics.bounds.rejected("failed_logins") == 1
    clock.now += 59.5
    assert made.refusal("192.0.2.1") is None


def test_ipv6_clients_are_counted_by_network() -> None:
    made = logins(Clock(), limits={"failed_logins_per_minute": 1}, rate_limit_ipv6_prefix=56)
    fail(made, "2001:db8:0:1::1")
    assert made.refusal("2001:db8:0:ff::2")
    assert made.refusal("2001:db8:0:100::1") is None


def test_one_line_tells_of_a_siege_and_names_no_address() -> None:
    made = logins(Clock(), limits={"failed_logins_per_minute": 2})
    with capture_logs() as lines:
        for _ in range(9):
            fail(made)
    name = login_name(b"secret", "192.0.2.1")
    event = {"event": "security_event", "action": "refuse_logins", "address": name}
    assert lines == [{**event, "log_level": "warning"}]


def test_zero_turns_it_off() -> None:
    made = logins(Clock(), limits={"failed_logins_per_minute": 0})
    for _ in range(100):
        fail(made)
    assert made.refusal("192.0.2.1") is None


def test_what_was_somebodys_own_counts_once_however_often_it_is_shown() -> None:
    made = logins(Clock(), limits={"failed_logins_per_minute": 2})
    fail(made, user_id="ann")
    for _ in range(9):
        fail(made, user_id="ann", is_repeated=True)
    assert made.refusal("192.0.2.1") is None
    fail(made, is_repeated=True)
    assert made.refusal("192.0.2.1"), "what nobody has ever had is a guess each time"
