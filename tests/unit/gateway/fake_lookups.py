"""Requests whose charge is uncertain, in memory, and an upstream that is asked about them."""

import asyncio
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from msgspec.json import encode

from tollway.billing.ledger import Basis, Correction
from tollway.billing.store import LOOKUPS_MAX, StoreUnavailableError, UncertainRow
from tollway.catalog.model import Price
from tollway.gateway.lookups import LookedUp, look_up
from tollway.gateway.upstream_port import Failure
from tollway.money import Microdollars
from tollway.providers.registry import Upstream
from tollway.wire.generation import Generation
from unit.gateway import fakes
from unit.gateway.fakes import NOW, PRICE

OLD = NOW - timedelta(minutes=5)
Answer = tuple[int, bytes] | Failure


class FakeCorrections:
    """Implements Corrections over rows in memory. `away`: after so many calls the database is gone."""

    def __init__(self, *rows: UncertainRow) -> None:
        self.rows = {row.id: row for row in rows}
        self.corrected: dict[str, Correction] = {}
        self.found: dict[str, Generation | None] = {}
        self.failed: list[str] = []
        self.refuses: dict[str, Exception] = {}
        self.taken: set[str] = set()  # corrected by somebody else since they were found
        self.asked: list[tuple[datetime, int]] = []
        self.away_after = 1_000

    async def uncertain(self, before: datetime, limit: int, providers: Iterable[str]) -> tuple[UncertainRow, ...]:
        self._call()
        self.asked.append((before, limit))
        found = [row for row in self._open() if row.provider_id in set(providers) and row.created_at < before]
        return tuple(found[:limit])

    async def find_uncertain(self, request_id: str) -> UncertainRow | None:
        self._call()
        return next((row for row in self._open() if row.id == request_id), None)

    async def unasked(self, providers: Collection[str]) -> int:
        self._call()
        return sum(row.provider_id not in providers for row in self._open())

    def _open(self) -> list[UncertainRow]:
        rows = [row for row in self.rows.values() if row.id not in self.corrected and row.lookups < LOOKUPS_MAX]
        return sorted(rows, key=lambda row: row.created_at)

    async def correct(self, request_id: str, correction: Correction, found: Generation | None = None) -> bool:
        self._call()
        if request_id in self.refuses:
            raise self.refuses[request_id]
        assert request_id not in self.corrected
        self.corrected[request_id] = correction
        self.found[request_id] = found
        return request_id not in self.taken

    async def note_lookup_failed(self, request_id: str, is_refused: bool = False) -> None:
        self._call()
        self.failed.append(request_id)
        lookups = LOOKUPS_MAX if is_refused else self.rows[request_id].lookups + 1
        self.rows[request_id] = replace(self.rows[request_id], lookups=lookups)

    def _call(self) -> None:
        self.away_after -= 1
        if self.away_after < 0:
            raise StoreUnavailableError("gone")


class FakeFetch:
    """Answers by message id, and remembers the heads of the requests."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self.answers = answers
        self.heads: list[bytes] = []

    async def __call__(self, upstream: Upstream, head: bytes) -> Answer:
        await asyncio.sleep(0)
        self.heads.append(head)
        return self.answers[self.asked[-1]]

    @property
    def asked(self) -> list[str]:
        """Message ids, as they were written into the address."""
        return [head.split(b" ")[1].partition(b"?id=")[2].decode() for head in self.heads]


def row(number: int, **changes: Any) -> UncertainRow:
    """An estimate of 100 µ$ for a request whose message id is m<number>, older than those of higher numbers."""
    made = UncertainRow(
        id=f"r{number}",
        provider_id="sim",
        message_id=f"m{number}",
        upstream_model="vendor/name",
        basis=Basis.INTERRUPTED,
        charge=Microdollars(100),
        absorbed=Microdollars(0),
        market_cost=Microdollars(100),
        worst_case=Microdollars(1_000),
        price_version="test/1",
        prompt_usd=PRICE.prompt_usd,
        completion_usd=PRICE.completion_usd,
        prompt_tokens=10,
        completion_tokens=10,
        prompt_tokens_max=100,
        completion_tokens_max=100,
        status_code=200,
        finish_reason=None,
        has_error=False,
        cancelled=True,
        lookups=0,
        created_at=OLD + timedelta(seconds=number),
        latency_ms=0,
    )
    return replace(made, **changes)


def told(cost_usd: object = 0.00015, **more: object) -> Answer:
    return 200, encode({"data": {"id": "gen-1", "total_cost": cost_usd, **more}})


def upstream(name: str = "sim", **provider: Any) -> Upstream:
    head = (b"GET /v1/generation?id=", b" HTTP/1.1\r\nHost: up.example\r\n")
    return replace(fakes.upstream(name, **{"reports_cost": True, **provider}), lookup_head=head)


def run(
    corrections: FakeCorrections, fetch: FakeFetch, *upstreams: Upstream, prices: dict[str, Price] | None = None
) -> LookedUp:
    """All that is to be looked up now, at `upstreams`; by default one that is charged by the costs it reports."""
    known = {"test/1": PRICE} if prices is None else prices

    async def find_price(version: str) -> Price | None:
        return known.get(version)

    named = {one.id: one for one in upstreams or (upstream(),)}
    return asyncio.run(look_up(corrections, named, find_price, fetch, NOW))
