import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from tollway.billing.store import StoreUnavailableError
from tollway.identity import authenticator
from tollway.identity.authenticator import STALE_AFTER_S, Authenticator, AuthenticatorRules
from tollway.identity.caller import Caller, Refusal, Role
from tollway.identity.kept_text import TextPermissions
from tollway.identity.keys import hash_key, make_key
from tollway.identity.organization import OrganizationSettings
from tollway.identity.owned import Owned, Owner, OwnerKind, StoredKey
from tollway.identity.policy import policy_of
from tollway.identity.store import Changes, KeyRow, MembershipRow, UserRow
from tollway.identity.tokens import TokenRules
from tollway.money import Microdollars
from unit.identity.test_tokens import HEADER, NOW, PAYLOAD, SECRET, sign

T = TypeVar("T")

PEPPER = b"pepper"
KEY = make_key("k" * 30)
OTHER_KEY = make_key("o" * 30)
TOKEN = sign(HEADER, {**PAYLOAD, "exp": NOW + 3_600})
ORGANIZATION = "0b9d6c5e-4f3a-4c2b-9d1e-8f7a6b5c4d3e"
ADA = UserRow("user-1", "ada@example.com", "p1", None)
RULES = AuthenticatorRules(PEPPER, TokenRules(SECRET), cache_s=60, callers_max=3)


def key_row(secret: str = KEY, **changes: Any) -> KeyRow:
    row = KeyRow(
        id="key-1",
        secret_hash=hash_key(secret, PEPPER),
        user_id=ADA.id,
        organization_id=None,
        label="",
        last_four=secret[-4:],
        limit_microdollars=None,
        expires_at=None,
        revoked_at=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return replace(row, **changes)


def test_the_models_of_a_key_come_with_its_caller() -> None:
    async def scenario() -> None:
        for listed in ((), ("a/b", "vendor/*")):
            store = FakeStore(keys=[key_row(model_allow_list=listed)])
            one = Authenticator(store, RULES, lambda: 0.0, lambda: NOW)
            caller = await one.authenticate(KEY, "")
            assert isinstance(caller, Caller)
            assert caller.key_models == frozenset(listed)

    asyncio.run(scenario())


@dataclass
class FakeStore:
    """Rows in memory. `asked` counts look-ups of users and keys; `meanwhile` runs between reading and answering."""

    users: dict[str, UserRow] = field(default_factory=lambda: {ADA.id: ADA})
    keys: list[KeyRow] = field(default_factory=lambda: [key_row()])
    members: list[MembershipRow] = field(default_factory=list)
    owned_by: dict[Owner, Owned] = field(default_factory=dict)
    number: int = 7
    changed: frozenset[str] | None = None  # whom the change to `number` was about
    asked: int = 0
    down: bool = False
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def user(self, user_id: str) -> UserRow | None:
        return await self._answer(self.users.get(user_id))

    async def key_by_hash(self, secret_hash: str) -> tuple[KeyRow, UserRow] | None:
        found = next((row for row in self.keys if row.secret_hash == secret_hash), None)
        return await self._answer((found, self.users[found.user_id]) if found else None)

    async def membership(self, organization_id: str, user_id: str) -> MembershipRow | None:
        place = (organization_id, user_id)
        return next((row for row in self.members if (row.organization_id, row.user_id) == place), None)

    async def owned(self, owner: Owner) -> Owned:
        return self.owned_by.get(owner, Owned())

    async def changes(self, since: int | None) -> Changes:
        if self.down:
            raise StoreUnavailableError("down")
        return Changes(self.number, self.changed)

    async def _answer(self, row: T) -> T:
        self.asked += 1
        if self.down:
            raise StoreUnavailableError("down")
        if self.meanwhile:
            work, self.meanwhile = self.meanwhile, None
            await work()
        return row


class World:
    """An authenticator that has looked at its store, whose clocks stand still unless moved."""

    def __init__(self, rules: AuthenticatorRules = RULES) -> None:
        self.store = FakeStore()
        self.now = 1_000.0
        self.authenticator = Authenticator(self.store, rules, lambda: self.now, lambda: NOW + int(self.now - 1_000))
        self.refresh()

    def refresh(self) -> None:
        asyncio.run(self.authenticator.refresh())

    def change(self, *subjects: str) -> None:
        """Something about these, heard of."""
        self.store.number += 1
        self.store.changed = frozenset(subjects)
        self.refresh()

    def ask(self, credential: str = KEY, organization: str = "") -> Caller | Refusal:
        return asyncio.run(self.authenticator.authenticate(credential, organization))

    def known(self, credential: str = KEY, organization: str = "") -> Caller | Refusal | None:
        return self.authenticator.known(credential, organization)

    def pass_time(self, seconds: float) -> None:
        """Polled all the while, with nothing changed."""
        self.now += seconds
        self.refresh()


@pytest.fixture
def world() -> World:
    return World()


def reason(verdict: Caller | Refusal) -> str:
    assert isinstance(verdict, Refusal), verdict
    return verdict.reason


# Verdicts


def test_a_key(world: World) -> None:
    world.store.keys = [key_row(limit_microdollars=Microdollars(5))]
    assert world.ask() == Caller("user-1", "ada@example.com", key_id="key-1", key_limit=Microdollars(5))


def test_a_token(world: World) -> None:
    token = sign(HEADER, {**PAYLOAD, "botId": "b", "tokenSource": "s"})
    assert world.ask(token) == Caller("user-1", "ada@example.com", bot_id="b", token_source="s")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"revoked_at": datetime(2026, 1, 2, tzinfo=UTC)}, "revoked key"),
        ({"expires_at": datetime.fromtimestamp(NOW, UTC)}, "expired key"),
        ({"expires_at": datetime.fromtimestamp(NOW - 1_000_000, UTC)}, "expired key"),
        ({"secret_hash": "other"}, "unknown key"),
        ({"organization_id": ORGANIZATION}, "Access denied (not a member of the organization)"),
    ],
)
def test_keys_that_are_refused(world: World, changes: dict[str, Any], expected: str) -> None:
    world.store.keys = [key_row(**changes)]
    assert reason(world.ask()) == expected


@pytest.mark.parametrize(
    "key", ["tw_", "tw_live_", KEY[:-1], KEY + "0", KEY.lower(), KEY.replace("k", "j", 1), "tw_test_x"]
)
def test_malformed_keys_are_refused_without_a_look_up(world: World, key: str) -> None:
    assert reason(world.ask(key)) == "malformed key"
    assert world.store.asked == 0


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (None, "User not found"),
        (replace(ADA, pepper="p2"), "Invalid API token"),
        (replace(ADA, blocked_reason="abuse"), "Access denied (R1)"),
        (replace(ADA, email="ada@mail.SPAM.example"), "Access denied (R0)"),
        (replace(ADA, email="ada@spam.example", blocked_reason="abuse"), "Access denied (R0)"),
    ],
)
def test_tokens_of_users_that_are_refused(user: UserRow | None, expected: str) -> None:
    world = World(replace(RULES, blocked_domains=("spam.example",)))
    world.store.users = {ADA.id: user} if user else {}
    assert reason(world.ask(TOKEN)) == expected


def test_the_pepper_decides_before_the_block(world: World) -> None:
    world.store.users = {ADA.id: replace(ADA, pepper="p2", blocked_reason="abuse")}
    assert reason(world.ask(TOKEN)) == "Invalid API token"


@pytest.mark.parametrize("user", [replace(ADA, blocked_reason="abuse"), replace(ADA, email="ada@spam.example")])
def test_keys_of_users_that_are_refused(user: UserRow) -> None:
    world = World(replace(RULES, blocked_domains=("spam.example",)))
    world.store.users = {ADA.id: user}
    assert reason(world.ask()).startswith("Access denied (R")


def test_without_a_secret_no_token_is_accepted() -> None:
    world = World(replace(RULES, tokens=None))
    assert reason(world.ask(TOKEN)) == "tokens are not accepted"
    assert isinstance(world.ask(KEY), Caller)


# Organizations


def member(role: Role = Role.MEMBER, limit: int | None = None) -> MembershipRow:
    return MembershipRow(ORGANIZATION, ADA.id, role, None if limit is None else Microdollars(limit))


@pytest.mark.parametrize("credential", [KEY, TOKEN], ids=["key", "token"])
@pytest.mark.parametrize("header", [ORGANIZATION, ORGANIZATION.upper()])
def test_a_member(world: World, credential: str, header: str) -> None:
    world.store.members = [member(Role.OWNER, 9)]
    caller = world.ask(credential, header)
    assert isinstance(caller, Caller)
    assert (caller.organization_id, caller.role, caller.member_daily_limit) == (ORGANIZATION, Role.OWNER, 9)


def test_a_token_without_the_header_is_personal(world: World) -> None:
    world.store.members = [member()]
    caller = world.ask(sign(HEADER, {**PAYLOAD, "organizationId": ORGANIZATION, "organizationRole": "owner"}))
    assert isinstance(caller, Caller)
    assert (caller.organization_id, caller.role) == (None, None)


def test_who_is_no_member_is_refused(world: World) -> None:
    assert reason(world.ask(KEY, ORGANIZATION)) == "Access denied (not a member of the organization)"
    assert isinstance(world.ask(KEY), Caller)


def test_a_key_of_an_organization(world: World) -> None:
    world.store.keys = [key_row(organization_id=ORGANIZATION)]
    world.store.members = [member()]
    for header in ("", ORGANIZATION, ORGANIZATION.upper()):
        caller = world.ask(KEY, header)
        assert isinstance(caller, Caller)
        assert caller.organization_id == ORGANIZATION
    assert reason(world.ask(KEY, ORGANIZATION.replace("0", "1"))) == "key belongs to another organization"


@pytest.mark.parametrize(
    "header",
    [
        "x",
        "not-a-uuid",
        ORGANIZATION[:-1],
        f"{{{ORGANIZATION}}}",
        f" {ORGANIZATION}",
        ORGANIZATION.replace("-", ""),
        "\xff",
    ],
)
def test_no_uuid_reaches_no_query(world: World, header: str) -> None:
    for credential in (KEY, TOKEN):
        assert reason(world.ask(credential, header)) == "Invalid organization ID format"
    assert world.store.asked == 0


def as_caller(world: World, credential: str = KEY, organization: str = ORGANIZATION) -> Caller:
    caller = world.ask(credential, organization)
    assert isinstance(caller, Caller)
    return caller


@pytest.mark.parametrize(("require_seats", "limit"), [(True, None), (False, 0)])
def test_paid_by_seat_daily_limits_do_not_count(world: World, require_seats: bool, limit: int | None) -> None:
    world.store.members = [replace(member(limit=0), require_seats=require_seats)]
    assert as_caller(world).member_daily_limit == limit


@pytest.mark.parametrize("role", Role)
def test_what_the_organization_restricts_goes_with_its_members(world: World, role: Role) -> None:
    """A billing manager has no plan and no settings, and alone nobody is restricted."""
    settings = OrganizationSettings(data_collection="deny", model_allow_list=("a/b",))
    world.store.members = [replace(member(role), plan="enterprise", settings=settings)]
    policy = None if role is Role.BILLING_MANAGER else policy_of("enterprise", settings)
    assert as_caller(world).policy == policy
    assert as_caller(world, organization="").policy is None


@pytest.mark.parametrize("credential", [KEY, TOKEN], ids=["key", "token"])
def test_who_has_paid(world: World, credential: str) -> None:
    assert not as_caller(world, credential, "").has_paid
    world.store.users = {ADA.id: replace(ADA, has_paid=True)}
    assert as_caller(world, credential, "").has_paid


def test_with_an_organization_only_what_it_owns_counts_and_without_one_only_what_the_user_owns(world: World) -> None:
    world.store.members = [member()]
    ours, mine = Owner(OwnerKind.ORGANIZATION, ORGANIZATION), Owner(OwnerKind.USER, ADA.id)
    world.store.owned_by = {owner: Owned((StoredKey(owner.id, owner, "openai", {}),)) for owner in (ours, mine)}
    assert as_caller(world).owned == world.store.owned_by[ours]
    assert as_caller(world, organization="").owned == world.store.owned_by[mine]
    del world.store.owned_by[ours]
    assert as_caller(world).owned is None


# What is kept


def test_a_verdict_is_kept_for_its_credential_and_organization_only(world: World) -> None:
    world.store.members = [member()]
    caller = world.ask(KEY, ORGANIZATION)
    assert world.known(KEY, ORGANIZATION) == caller
    assert world.known(KEY) is None
    assert world.known(KEY, ORGANIZATION.upper()) is None
    assert world.known(KEY[:-1], ORGANIZATION) is None
    assert world.known(KEY + "\0", ORGANIZATION) is None
    assert world.known(TOKEN, ORGANIZATION) is None


def test_the_border_between_credential_and_organization_is_part_of_it(world: World) -> None:
    world.ask("b", "a")
    assert world.known("b", "a")
    assert world.known("", "ab") is None
    assert world.known("ab", "") is None


def test_who_holds_on_to_a_kept_verdict_learns_that_it_counts_no_more(world: World) -> None:
    verdict = world.ask()
    kept = world.authenticator.find(KEY, "")
    assert kept
    assert world.authenticator.verdict_of(kept) == verdict
    world.store.number += 1
    world.refresh()
    assert world.authenticator.verdict_of(kept) is None
    world.ask()
    assert world.authenticator.verdict_of(kept) is None
    kept = world.authenticator.find(KEY, "")
    assert kept
    assert world.authenticator.verdict_of(kept) == verdict
    world.pass_time(60)
    assert world.authenticator.verdict_of(kept) is None


@pytest.mark.parametrize("credential", [KEY, TOKEN, OTHER_KEY], ids=["key", "token", "unknown key"])
def test_a_verdict_lives_a_minute_at_most(world: World, credential: str) -> None:
    verdict = world.ask(credential)
    world.pass_time(59)
    assert world.known(credential) == verdict
    world.pass_time(1)
    assert world.known(credential) is None


def test_a_key_that_expires_bounds_its_verdict(world: World) -> None:
    world.store.keys = [key_row(expires_at=datetime.fromtimestamp(NOW + 10, UTC))]
    assert isinstance(world.ask(), Caller)
    world.pass_time(9)
    assert isinstance(world.known(), Caller)
    world.pass_time(1)
    assert world.known() is None
    assert reason(world.ask()) == "expired key"


def test_a_token_that_expires_bounds_its_verdict(world: World) -> None:
    token = sign(HEADER, {**PAYLOAD, "exp": NOW + 10})
    assert isinstance(world.ask(token), Caller)
    world.pass_time(9)
    assert isinstance(world.known(token), Caller)
    world.pass_time(1)
    assert world.known(token) is None
    assert reason(world.ask(token)) == "expired"


@pytest.mark.parametrize("credential", [KEY, OTHER_KEY], ids=["caller", "refusal"])
def test_a_new_revision_drops_verdicts(world: World, credential: str) -> None:
    world.ask(credential)
    world.store.number += 1
    assert world.known(credential) is not None
    world.refresh()
    assert world.known(credential) is None


@pytest.mark.parametrize(
    ("organization", "subject"),
    [("", "user-1"), (ORGANIZATION, "user-1"), (ORGANIZATION, ORGANIZATION)],
    ids=["user", "member", "organization"],
)
def test_a_change_drops_the_verdicts_about_its_subject(world: World, organization: str, subject: str) -> None:
    world.store.members = [member()]
    world.ask(KEY, organization)
    kept = world.authenticator.find(KEY, organization)
    world.change(subject)
    assert kept
    assert world.authenticator.verdict_of(kept) is None
    assert world.known(KEY, organization) is None


@pytest.mark.parametrize(
    ("organization", "subject"), [("", "user-2"), ("", ORGANIZATION), (ORGANIZATION, "another organization")]
)
def test_a_change_of_others_drops_no_caller(world: World, organization: str, subject: str) -> None:
    world.store.members = [member()]
    caller = world.ask(KEY, organization)
    kept = world.authenticator.find(KEY, organization)
    world.change(subject)
    assert kept
    assert world.authenticator.verdict_of(kept) is caller
    assert world.known(KEY, organization) is caller


@pytest.mark.parametrize(("credential", "organization"), [(OTHER_KEY, ""), (KEY, ORGANIZATION), (TOKEN[:-1], "")])
def test_any_change_drops_refusals(world: World, credential: str, organization: str) -> None:
    """They may be about what was not there yet, whose id nobody knows."""
    assert isinstance(world.ask(credential, organization), Refusal)
    world.change("user-2")
    assert world.known(credential, organization) is None


def test_a_caller_of_whom_nothing_changed_is_the_same_one(world: World) -> None:
    """What is kept by caller, budgets for one, is found without comparing them."""
    before = world.ask()
    world.store.number += 1
    world.refresh()
    assert world.ask() is before
    world.store.keys = [replace(row, limit_microdollars=Microdollars(7)) for row in world.store.keys]
    changed = world.ask()
    assert isinstance(changed, Caller)
    assert changed.key_limit == 7


def test_a_revision_that_went_back_is_a_change_too(world: World) -> None:
    """A database restored from a backup."""
    world.ask()
    world.store.number = 1
    world.refresh()
    assert world.known() is None


def test_the_same_revision_keeps_verdicts(world: World) -> None:
    caller = world.ask()
    world.pass_time(5)
    assert world.known() == caller


def test_no_verdict_is_used_while_the_revision_is_unknown(world: World) -> None:
    caller = world.ask()
    world.now += STALE_AFTER_S - 0.1
    assert world.known() == caller
    world.now += 0.1
    assert world.known() is None
    assert world.ask() == caller  # the database itself still says so
    assert world.known() is None
    world.refresh()
    assert world.known() == caller


def test_a_refresh_that_fails_makes_nothing_fresh(world: World) -> None:
    world.ask()
    world.store.down = True
    world.now += 4
    with pytest.raises(StoreUnavailableError):
        world.refresh()
    world.now += 1
    assert world.known() is None
    with pytest.raises(StoreUnavailableError):
        world.ask()


def test_before_the_first_refresh_no_verdict_is_used() -> None:
    world = World()
    fresh = Authenticator(world.store, RULES, lambda: world.now, lambda: NOW)
    asyncio.run(fresh.authenticate(KEY, ""))
    assert fresh.known(KEY, "") is None


def test_a_slow_refresh_counts_from_when_it_asked(world: World) -> None:
    world.ask()
    slow = world.store.changes

    async def changes(since: int | None) -> Changes:
        world.now += 4
        return await slow(since)

    world.store.changes = changes  # type: ignore[method-assign]  # a look-up that takes four seconds
    world.refresh()
    world.now += 0.9
    assert world.known() is not None
    world.now += 0.1
    assert world.known() is None


def test_a_look_up_that_overlaps_a_change_is_not_kept(world: World) -> None:
    async def revoke() -> None:
        world.store.keys = [key_row(revoked_at=datetime(2026, 1, 2, tzinfo=UTC))]
        world.store.number += 1
        await world.authenticator.refresh()

    world.store.meanwhile = revoke
    assert isinstance(world.ask(), Caller)  # read before the change
    assert world.known() is None
    assert reason(world.ask()) == "revoked key"
    assert reason(world.known() or world.ask()) == "revoked key"


# Bounds


def test_callers_kept_are_bounded_and_the_oldest_goes_first(world: World) -> None:
    keys = [make_key(letter * 30) for letter in "abcd"]
    world.store.keys = [key_row(key) for key in keys]
    for key in keys:
        world.ask(key)
    assert [world.known(key) is not None for key in keys] == [False, True, True, True]


def test_asking_again_pushes_nobody_out(world: World) -> None:
    keys = [make_key(letter * 30) for letter in "abcd"]
    world.store.keys = [key_row(key) for key in keys]
    for key in (*keys[:3], keys[0], keys[0]):
        world.ask(key)
    assert all(world.known(key) for key in keys[:3])
    world.ask(keys[3])  # the oldest is the second by now
    assert [world.known(key) is not None for key in keys] == [True, False, True, True]


def test_refusals_are_bounded_and_push_no_caller_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authenticator, "REFUSALS_KEPT_MAX", 2)
    caller = world.ask()
    for number in range(50):
        world.ask(f"tw_{number}")
    assert world.known() == caller
    assert [world.known(f"tw_{number}") is not None for number in (0, 47, 48, 49)] == [False, False, True, True]


def test_what_was_a_caller_and_is_refused_now_is_kept_as_refused(world: World) -> None:
    """An expired verdict must not hide the newer one: else every request would ask the database."""
    world.store.keys = [key_row(expires_at=datetime.fromtimestamp(NOW + 10, UTC))]
    world.ask()
    world.pass_time(10)
    world.ask()
    assert reason(world.known() or world.ask()) == "expired key"
    assert world.store.asked == 2


def test_what_was_refused_and_is_a_caller_now_is_kept_as_caller(world: World) -> None:
    world.store.keys = []
    world.ask()
    world.store.keys = [key_row()]
    world.pass_time(60)
    assert isinstance(world.ask(), Caller)
    assert isinstance(world.known(), Caller)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize(("permitted", "keeps"), [(ORGANIZATION, True), ("*", True), ("another", False), (None, False)])
def test_whose_text_is_kept(role: Role, permitted: str | None, keeps: bool) -> None:
    """Operator and organization must agree; a billing manager's requests are not the organization's to decide on."""
    permissions = TextPermissions(requests=frozenset({permitted} if permitted else ()))
    world = World(replace(RULES, text_permissions=permissions))
    settings = OrganizationSettings(prompt_prefix_days=3, request_log_days=3)
    world.store.members = [replace(member(role), settings=settings)]
    caller = as_caller(world)
    assert (caller.keeps_prompts, caller.keeps_requests) == (False, keeps and role is not Role.BILLING_MANAGER)
    alone = as_caller(world, organization="")
    assert (alone.keeps_prompts, alone.keeps_requests) == (False, False)


def test_what_is_no_longer_kept_ends_with_the_next_poll() -> None:
    every = frozenset({"*"})
    world = World(replace(RULES, text_permissions=TextPermissions(every, every)))
    world.store.members = [replace(member(), settings=OrganizationSettings(prompt_prefix_days=3))]
    assert as_caller(world).keeps_prompts
    world.store.members, world.store.number = [member()], 8
    world.refresh()
    assert world.known(KEY, ORGANIZATION) is None
    assert not as_caller(world).keeps_prompts


# What was good once


def test_it_is_remembered_who_was_good_until_they_are_not(world: World) -> None:
    was_good = world.authenticator.was_good
    assert not was_good(KEY, "")
    world.ask()
    world.ask(KEY[:-1])
    world.store.number += 1
    world.pass_time(100)
    assert world.known() is None
    assert was_good(KEY, "")
    assert not was_good(KEY, ORGANIZATION)
    assert not was_good(KEY[:-1], "")
    world.store.keys = [key_row(revoked_at=datetime(2026, 1, 2, tzinfo=UTC))]
    world.ask()
    assert not was_good(KEY, "")


def test_what_was_good_is_bounded() -> None:
    world = World(replace(RULES, callers_max=2))
    world.store.members = [member()]
    world.ask()
    world.ask(TOKEN)
    world.ask(KEY, ORGANIZATION)
    was_good = world.authenticator.was_good
    assert [was_good(KEY, ""), was_good(TOKEN, ""), was_good(KEY, ORGANIZATION)] == [False, True, True]


# Many at once


class Held:
    """A look-up that waits for `answer` after its read."""

    def __init__(self, store: FakeStore) -> None:
        self.reached, self.answer = asyncio.Event(), asyncio.Event()
        store.meanwhile = self._wait

    async def _wait(self) -> None:
        self.reached.set()
        await self.answer.wait()


def meanwhile(world: World, change: Callable[[], Awaitable[None]], second: str = KEY, organization: str = "") -> int:
    """How many look-ups are made when, after the first one has read and `change` has come, another asks."""

    async def scenario() -> None:
        held = Held(world.store)
        first = asyncio.create_task(world.authenticator.authenticate(KEY, ""))
        await held.reached.wait()
        await change()
        held.answer.set()
        await asyncio.gather(first, world.authenticator.authenticate(second, organization))

    asyncio.run(scenario())
    return world.store.asked


async def nothing() -> None:
    pass


def test_however_many_show_a_credential_at_once_it_is_looked_up_once(world: World) -> None:
    async def scenario() -> list[Caller | Refusal]:
        asking = [world.authenticator.authenticate(KEY, "") for _ in range(200)]
        return await asyncio.gather(*asking)

    verdicts = asyncio.run(scenario())
    assert world.store.asked == 1
    assert set(map(id, verdicts)) == {id(world.known())}


def test_each_credential_has_its_own_look_up(world: World) -> None:
    world.store.members = [member()]
    assert meanwhile(world, nothing) == 1
    assert meanwhile(World(), nothing, OTHER_KEY) == 2
    assert meanwhile(World(), nothing, KEY, ORGANIZATION) == 2


def test_who_asks_after_a_change_does_not_hear_what_was_read_before_it(world: World) -> None:
    async def change() -> None:
        world.store.number += 1
        await world.authenticator.refresh()

    assert meanwhile(world, change) == 2


def test_no_look_up_is_joined_that_began_before_the_bound_of_a_revocation(world: World) -> None:
    """Unseen changes: the revision cannot be read, or has not been yet."""

    async def pass_time() -> None:
        world.now += STALE_AFTER_S

    assert meanwhile(world, pass_time) == 2


def test_all_who_wait_hear_that_the_database_is_down(world: World) -> None:
    world.store.down = True

    async def scenario() -> list[Caller | Refusal | BaseException]:
        asking = [world.authenticator.authenticate(KEY, "") for _ in range(3)]
        return await asyncio.gather(*asking, return_exceptions=True)

    assert [type(one) for one in asyncio.run(scenario())] == [StoreUnavailableError] * 3
    assert world.store.asked == 1
    world.store.down = False
    assert isinstance(world.ask(), Caller)


def test_one_that_gives_up_takes_the_answer_from_nobody(world: World) -> None:
    async def scenario() -> Caller | Refusal:
        held = Held(world.store)
        first = asyncio.create_task(world.authenticator.authenticate(KEY, ""))
        await held.reached.wait()
        second = asyncio.create_task(world.authenticator.authenticate(KEY, ""))
        await asyncio.sleep(0)
        first.cancel()
        assert world.authenticator.is_asking(KEY, "")
        held.answer.set()
        return await second

    assert isinstance(asyncio.run(scenario()), Caller)
    assert world.store.asked == 1
    assert not world.authenticator.is_asking(KEY, "")
