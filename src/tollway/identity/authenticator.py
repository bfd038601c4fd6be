"""Turns credentials into callers, with verdicts kept in memory.

A verdict lives at most 60 s and ends with the token or key it is about. Every change to users, keys, organizations or
memberships raises a revision in the database and says whom it is about; `refresh` looks for it and drops the verdicts
about those, so a revocation acts within one poll (guarantees A2, K4) and nobody else is looked up again. While the
revision cannot be read no verdict is used: refusing is better than serving the revoked.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Final

from tollway.identity.caller import NO_LIST, Caller, Refusal, Role
from tollway.identity.email_domains import is_blocked, read_domains
from tollway.identity.kept_text import NOBODY, KeptText, TextPermissions
from tollway.identity.keys import hash_key, is_well_formed
from tollway.identity.owned import Owner, OwnerKind
from tollway.identity.policy import OrganizationPolicy, policy_of
from tollway.identity.store import IdentityStore, KeyRow, MembershipRow, UserRow
from tollway.identity.tokens import TokenRules, pepper_matches, read_token
from tollway.ids import is_uuid
from tollway.settings import Settings
from tollway.single_flight import SingleFlight

STALE_AFTER_S: Final = 5.0  # the revocation bound of guarantees K4
REFUSALS_KEPT_MAX: Final = 10_000
EQUALS_KEPT: Final = 10_000
KEY_PREFIX: Final = "tw_"

_NOTHING_KEPT: Final = KeptText()


@dataclass(frozen=True, slots=True)
class AuthenticatorRules:
    """`pepper` hashes keys; without `tokens` no JWT is accepted. Times in seconds.

    Users whose e-mail address is in one of `blocked_domains` (lower-cased) or below it are refused.
    """

    pepper: bytes
    tokens: TokenRules | None
    cache_s: float
    callers_max: int
    blocked_domains: tuple[str, ...] = ()
    text_permissions: TextPermissions = NOBODY


@dataclass(slots=True)
class Kept:
    """A verdict in memory. Only `Authenticator.verdict_of` tells whether it still counts."""

    verdict: Caller | Refusal
    until: float  # monotonic seconds; 0 when it was dropped


def rules_of(settings: Settings) -> AuthenticatorRules:
    """Raises SettingsError for a secret that cannot be used."""
    secret = settings.jwt_secret()
    jwt = settings.jwt
    return AuthenticatorRules(
        pepper=settings.pepper(),
        tokens=TokenRules(secret, jwt.environment, jwt.skew_s, jwt.expiry_skew_s) if secret else None,
        cache_s=settings.timeouts.identity_cache_s,
        callers_max=settings.limits.identities,
        blocked_domains=read_domains(settings.blocked_email_domains),
        text_permissions=text_permissions(settings),
    )


def text_permissions(settings: Settings) -> TextPermissions:
    """Whose text the operator permits to be kept."""
    return TextPermissions(
        frozenset(settings.prompt_prefix_organizations), frozenset(settings.request_log.organizations)
    )


class Authenticator:
    """`known` answers from memory, `authenticate` asks the database. One event loop only."""

    def __init__(
        self,
        store: IdentityStore,
        rules: AuthenticatorRules,
        monotonic: Callable[[], float],
        unix_seconds: Callable[[], int],
    ) -> None:
        self._store = store
        self._rules = rules
        self._monotonic = monotonic
        self._unix_seconds = unix_seconds
        self._callers: dict[bytes, Kept] = {}
        self._refusals: dict[bytes, Kept] = {}
        self._once_good: dict[bytes, None] = {}  # credentials, whatever became of their verdicts
        self._asking = SingleFlight[Caller | Refusal]()
        self._revision: int | None = None
        self._generation = 0  # of all that the database says about identities
        self._fresh_until = 0.0

    def known(self, credential: str, organization: str) -> Caller | Refusal | None:
        """The kept verdict, or None when the database must be asked."""
        kept = self.find(credential, organization)
        return None if kept is None else self.verdict_of(kept)

    def find(self, credential: str, organization: str) -> Kept | None:
        """What is kept about a credential; who sees the same one again may ask `verdict_of` without looking it up."""
        key = _cache_key(credential, organization)
        return self._callers.get(key) or self._refusals.get(key)

    def verdict_of(self, kept: Kept) -> Caller | Refusal | None:
        """The verdict, or None when the database must be asked anew."""
        now = self._monotonic()
        return kept.verdict if now < kept.until and now < self._fresh_until else None

    def was_good(self, credential: str, organization: str) -> bool:
        """Whether the last verdict about it was a caller, even one that counts no more."""
        return _cache_key(credential, organization) in self._once_good

    def is_asking(self, credential: str, organization: str) -> bool:
        """Whether the database is being asked about it, so that `authenticate` would wait for that answer."""
        return self._question(_cache_key(credential, organization)) in self._asking

    async def authenticate(self, credential: str, organization: str) -> Caller | Refusal:
        """Ask the database, once for all who ask at the same time, and keep the verdict. Raises
        StoreUnavailableError."""
        key = _cache_key(credential, organization)
        return await self._asking.ask(self._question(key), lambda: self._ask(key, credential, organization))

    def _question(self, key: bytes) -> tuple[bytes, int, int]:
        """Equal while an answer may be shared: nothing is known to have changed since it was asked for, and that was
        less than STALE_AFTER_S ago, so that it is no staler than a kept verdict may be."""
        return key, self._generation, int(self._monotonic() // STALE_AFTER_S)

    async def _ask(self, key: bytes, credential: str, organization: str) -> Caller | Refusal:
        generation = self._generation
        verdict, seconds = await self._decide(credential, organization)
        if generation == self._generation:  # nothing was changed while the database was asked
            self._keep(key, verdict, seconds)
        return verdict

    async def refresh(self) -> None:
        """Look for changes; call at least every few seconds. Raises StoreUnavailableError."""
        asked_at = self._monotonic()
        changes = await self._store.changes(self._revision)
        if changes.revision != self._revision:
            self._revision = changes.revision
            self._generation += 1
            self._drop(changes.subjects)
        self._fresh_until = asked_at + STALE_AFTER_S

    def _drop(self, subjects: frozenset[str] | None) -> None:
        """What is kept about these, or all; and every refusal, since it may be about somebody who was not there."""
        for kept, whose in ((self._callers, subjects), (self._refusals, None)):
            dropped = [key for key, one in kept.items() if whose is None or _is_about(one.verdict, whose)]
            for key in dropped:
                kept.pop(key).until = 0.0

    def _keep(self, key: bytes, verdict: Caller | Refusal, seconds: float) -> None:
        self._callers.pop(key, None)
        self._refusals.pop(key, None)
        is_caller = isinstance(verdict, Caller)
        self._once_good.pop(key, None)
        if is_caller:
            if len(self._once_good) >= self._rules.callers_max:
                self._once_good.pop(next(iter(self._once_good)))
            self._once_good[key] = None
        kept, most = (self._callers, self._rules.callers_max) if is_caller else (self._refusals, REFUSALS_KEPT_MAX)
        if len(kept) >= most:
            kept.pop(next(iter(kept)))  # oldest first; refusals cannot push callers out
        kept[key] = Kept(verdict, self._monotonic() + min(seconds, self._rules.cache_s))

    async def _decide(self, credential: str, organization: str) -> tuple[Caller | Refusal, float]:
        """The verdict and how many seconds it may live."""
        if organization and not is_uuid(organization):
            return Refusal("Invalid organization ID format"), self._rules.cache_s
        if credential.startswith(KEY_PREFIX):
            return await self._decide_key(credential, organization)
        return await self._decide_token(credential, organization)

    async def _decide_key(self, credential: str, organization: str) -> tuple[Caller | Refusal, float]:
        life = self._rules.cache_s
        if not is_well_formed(credential):
            return Refusal("malformed key"), life
        found = await self._store.key_by_hash(hash_key(credential, self._rules.pepper))
        if found is None:
            return Refusal("unknown key"), life
        key, user = found
        if key.revoked_at is not None:
            return Refusal("revoked key", user.id), life
        if key.expires_at is not None:
            life = min(life, key.expires_at.timestamp() - self._unix_seconds())
            if life <= 0:
                return Refusal("expired key", user.id), self._rules.cache_s
        if key.organization_id and organization and organization.lower() != key.organization_id:
            return Refusal("key belongs to another organization", user.id), life
        return await self._admit(user, organization.lower() or key.organization_id or "", key, None, None), life

    async def _decide_token(self, credential: str, organization: str) -> tuple[Caller | Refusal, float]:
        life = self._rules.cache_s
        if self._rules.tokens is None:
            return Refusal("tokens are not accepted"), life
        now = self._unix_seconds()
        claims = read_token(credential, self._rules.tokens, now)
        if isinstance(claims, Refusal):
            return claims, life
        life = min(life, claims.expires_at + self._rules.tokens.expiry_skew_s - now)
        user = await self._store.user(claims.user_id)
        if user is None:
            return Refusal("User not found", claims.user_id), life
        if not pepper_matches(user.pepper, claims.pepper):
            return Refusal("Invalid API token", user.id), life
        return await self._admit(user, organization.lower(), None, claims.bot_id, claims.token_source), life

    async def _admit(
        self, user: UserRow, organization: str, key: KeyRow | None, bot_id: str | None, token_source: str | None
    ) -> Caller | Refusal:
        if is_blocked(user.email, self._rules.blocked_domains):
            return Refusal("Access denied (R0)", user.id)
        if user.blocked_reason:
            return Refusal("Access denied (R1)", user.id)
        member = None
        if organization:
            member = await self._store.membership(organization, user.id)
            if member is None:
                return Refusal("Access denied (not a member of the organization)", user.id)
        owner = Owner(OwnerKind.ORGANIZATION, member.organization_id) if member else Owner(OwnerKind.USER, user.id)
        kept = _kept_for(member, self._rules.text_permissions) if member else _NOTHING_KEPT
        caller = Caller(
            user_id=user.id,
            email=user.email,
            organization_id=member.organization_id if member else None,
            role=member.role if member else None,
            member_daily_limit=member.daily_limit if member and not member.require_seats else None,
            key_id=key.id if key else None,
            key_limit=key.limit_microdollars if key else None,
            key_models=frozenset(key.model_allow_list) if key else NO_LIST,
            bot_id=bot_id,
            token_source=token_source,
            policy=_policy_for(member) if member else None,
            has_paid=user.has_paid,
            owned=await self._store.owned(owner) or None,
            keeps_prompts=kept.prompt_prefix_days is not None,
            keeps_requests=kept.request_log_days is not None,
        )
        return _one_of_equals(caller)


def _is_about(verdict: Caller | Refusal, subjects: frozenset[str]) -> bool:
    return verdict.user_id in subjects or (isinstance(verdict, Caller) and verdict.organization_id in subjects)


def _policy_for(member: MembershipRow) -> OrganizationPolicy | None:
    """A billing manager has no plan and no settings, as one who is no member (request-path 9.2)."""
    return None if member.role is Role.BILLING_MANAGER else policy_of(member.plan, member.settings)


def _kept_for(member: MembershipRow, permissions: TextPermissions) -> KeptText:
    return (
        _NOTHING_KEPT
        if member.role is Role.BILLING_MANAGER
        else permissions.in_force(member.organization_id, member.settings)
    )


@lru_cache(maxsize=EQUALS_KEPT)
def _one_of_equals(caller: Caller) -> Caller:
    """Of callers that are equal always the same one: what others keep by caller is then found without comparing."""
    return caller


def _cache_key(credential: str, organization: str) -> bytes:
    """A hash of the whole credential, so that no two share a verdict and none lies in memory as text."""
    return sha256(f"{organization}\0{credential}".encode()).digest()
