"""Which models each gateway has at the moment: asked for when a key resolves, kept, and asked for again in time.

An outage leaves a gateway visible and empty, or with its old list; nothing here raises because of what a gateway does.
Source: catalog-and-clients C.4 to C.7.
"""

from collections.abc import Awaitable, Callable, Coroutine
from enum import StrEnum
from typing import Any, Final, Protocol

from msgspec import Struct

from tollway.catalog.client_listing import read_listing
from tollway.catalog.client_model import ConfiguredModelError, ModelMap, with_configured
from tollway.client.errors import ClientError
from tollway.client.freshness import Kept, list_id, list_prefix
from tollway.client.gateways import Gateway
from tollway.single_flight import SingleFlight

_OK: Final = range(200, 300)
_UNAUTHORIZED: Final = 401


class ListAnswer(Struct, frozen=True):
    """What a gateway said; status 0: nothing came, within the time."""

    status: int
    body: bytes = b""


# (gateway, without its key) → what it said; never raises because of the gateway, but ClientError for what the user
# says of it
AskForList = Callable[[Gateway, bool], Awaitable[ListAnswer]]
StartBeside = Callable[[Coroutine[Any, Any, object]], None]


class Shelf(Protocol):
    """Lists that outlive the process. They never raise: what cannot be kept is asked for again."""

    def take(self, list_id: str) -> tuple[ModelMap, float] | None:
        """The list and its age in seconds."""
        ...

    def put(self, list_id: str, models: ModelMap) -> None: ...

    def forget(self, prefix: str) -> None: ...


class State(StrEnum):
    """The rows of the table in C.7."""

    NOT_CONNECTED = "not connected"
    LIVE = "live"
    EMPTY = "empty"
    UNREACHABLE = "unreachable"
    STALE = "stale"


class Listed(Struct, frozen=True):
    """One gateway and what it offers now. `notice` is for people: why there is nothing, or less than expected."""

    gateway: Gateway
    state: State
    models: ModelMap = {}
    notice: str = ""

    @property
    def is_selectable(self) -> bool:
        """Whether a model of it may be chosen without being named."""
        return bool(self.models) and (self.gateway.key is not None or self.gateway.access.is_open)


class _Fetched(Struct, frozen=True):
    """models None: it failed; `notice` says how, unless nothing usable came."""

    models: ModelMap | None
    notice: str = ""


class ModelLists:
    """The lists of one process. `now`: a clock that only goes forward, in seconds. `beside` starts work that nobody
    waits for; None where the process ends with the answer. `is_offline`: nothing is asked for."""

    def __init__(
        self,
        ask: AskForList,
        now: Callable[[], float],
        shelf: Shelf,
        beside: StartBeside | None = None,
        *,
        is_offline: bool = False,
    ) -> None:
        self._ask = ask
        self._now = now
        self._shelf = shelf
        self._beside = beside
        self._is_offline = is_offline
        self._kept: dict[str, Kept] = {}
        self._in_flight = SingleFlight[_Fetched]()

    async def of(self, gateway: Gateway, *, is_named: bool = False, refresh: bool = False) -> Listed:
        """What this gateway offers. is_named: the user named it just now. refresh: a fresh list does not do.

        Raises ClientError when the configuration says something impossible of a model.
        """
        if not gateway.may_fetch(is_named):
            return Listed(gateway, State.NOT_CONNECTED, notice=_how_to_connect(gateway))
        listed = await self._list(gateway, refresh)
        try:
            models = with_configured(listed.models, gateway.config.models)
        except ConfiguredModelError as error:
            raise ClientError(f"configuration: provider.{gateway.id}.{error}") from None
        return Listed(gateway, listed.state, models, listed.notice)

    def forget(self, gateway_id: str) -> None:
        """After a login, a logout or another configuration."""
        prefix = list_prefix(gateway_id)
        self._kept = {key: kept for key, kept in self._kept.items() if not key.startswith(prefix)}
        self._shelf.forget(prefix)

    async def _list(self, gateway: Gateway, refresh: bool) -> Listed:
        key, now = list_id(gateway), self._now()
        kept = self._recall(key, now)
        if kept and not refresh and (kept.is_fresh(now) or not kept.may_retry(now)):
            if not kept.models:
                self._refresh_beside(gateway, key)
            return _shown(gateway, kept, now)
        fetched = await self._fetch_once(gateway, key)
        kept = self._kept.get(key)
        if fetched.models is None and kept is None:
            self._refresh_beside(gateway, key)
            return Listed(
                gateway, State.UNREACHABLE, notice=fetched.notice or _unreachable(gateway, "no models loaded")
            )
        assert kept
        so = "this is its last list" if kept.models else "no models loaded"
        why = _unreachable(gateway, so) if fetched.models is None else ""
        return _shown(gateway, kept, self._now(), fetched.notice or why)

    def _recall(self, key: str, now: float) -> Kept | None:
        if key not in self._kept and (found := self._shelf.take(key)):
            models, age_s = found
            self._kept[key] = Kept(models, now - age_s)
        return self._kept.get(key)

    def _refresh_beside(self, gateway: Gateway, key: str) -> None:
        if self._beside and not self._is_offline and key not in self._in_flight:
            self._beside(self._fetch_once(gateway, key))

    async def _fetch_once(self, gateway: Gateway, key: str) -> _Fetched:
        """However many ask, one request is under way; all of them get its answer."""
        return await self._in_flight.ask(key, lambda: self._fetch_and_keep(gateway, key))

    async def _fetch_and_keep(self, gateway: Gateway, key: str) -> _Fetched:
        fetched = await self._fetch(gateway)
        self._keep(key, fetched)
        return fetched

    async def _fetch(self, gateway: Gateway) -> _Fetched:
        if self._is_offline:
            return _Fetched(None, f"{gateway.name}: asking for models is turned off (TOLLWAY_DISABLE_MODELS_FETCH).")
        try:
            return await self._read(gateway)
        except ClientError as error:  # what is wrong with one gateway is no reason to show nothing of the others
            return _Fetched(None, str(error))

    async def _read(self, gateway: Gateway) -> _Fetched:
        answer, notice = await self._ask(gateway, False), ""
        if answer.status == _UNAUTHORIZED and gateway.key and gateway.access.is_open and not gateway.organization_id:
            notice = f"{gateway.name} does not accept the key; these are the models for everybody."
            answer = await self._ask(gateway, True)
        models = read_listing(answer.body, gateway.access.listing) if answer.status in _OK else None
        return _Fetched(models, notice if models is not None else _why_not(gateway, answer))

    def _keep(self, key: str, fetched: _Fetched) -> None:
        kept = self._kept.get(key)
        if fetched.models is not None:
            self._kept[key] = Kept(fetched.models, self._now())
            if not fetched.notice:  # what is for everybody is not this account's list, and must be said again
                self._shelf.put(key, fetched.models)
        elif kept:
            self._kept[key] = kept.after_failure(self._now())


def _shown(gateway: Gateway, kept: Kept, now: float, notice: str = "") -> Listed:
    if not kept.models:
        return Listed(gateway, State.EMPTY, notice=notice or f"{gateway.name} lists no models.")
    is_stale = kept.failures > 0 or not kept.is_fresh(now)
    return Listed(gateway, State.STALE if is_stale else State.LIVE, kept.models, notice)


def _why_not(gateway: Gateway, answer: ListAnswer) -> str:
    """Without anything of the answer's text, which a stranger wrote. Empty: nothing usable came."""
    if answer.status == _UNAUTHORIZED and gateway.key and not gateway.access.has_public_list:
        return f"{gateway.name} does not accept the key (401). Enter another one: tollway auth login -p {gateway.id}"
    return ""


def _unreachable(gateway: Gateway, so: str) -> str:
    return f"{gateway.name} is unreachable; {so}. Retrying."


def _how_to_connect(gateway: Gateway) -> str:
    return f"{gateway.name} is not connected. Enter a key: tollway auth login -p {gateway.id}"
