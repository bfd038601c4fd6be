import asyncio
from dataclasses import replace as with_other
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from msgspec import Raw
from msgspec.msgpack import Decoder
from msgspec.structs import replace

from tollway.billing.particulars import Particulars
from tollway.billing.payer import payer_part
from tollway.billing.recovery import OfferPart, Opened, closed_of, encode_entry, offer_part, recover
from tollway.catalog.model import FREE, Price
from tollway.gateway import opening
from tollway.gateway.closers import settle_funds
from tollway.gateway.opening import opening_entry
from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.money import Microdollars
from tollway.routing.plan import Plan
from tollway.routing.precedence import OwnRoute, Rule
from tollway.wire.answer import Answer
from tollway.wire.chat import parse_chat
from tollway.wire.usage import Usage
from unit.gateway.closers.test_settle_funds import TOLD, served
from unit.gateway.fakes import CALLER, HOLD, NOW, PRICE, FakeFunds, body_of, candidate, services, settled

decode = Decoder(Opened).decode
DETAILED = Price(
    "test/2",
    datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    Decimal("0.0000000001"),
    Decimal("0.123456789012"),
    Decimal("1E-9"),
    Decimal("2E-9"),
    Decimal("0.01"),
    Decimal("0.5"),
)


def offer_of(entry: bytes) -> OfferPart:
    return Decoder(OfferPart).decode(decode(entry).offer)


def test_what_was_asked_for_is_the_auto_id() -> None:
    one = served(None)
    one.request = replace(one.request, auto_model="house/auto")
    assert decode(opening_entry(one, candidate())).requested_model == "house/auto"


def test_it_is_an_opened_entry_field_by_field() -> None:
    one = served(None)
    one.attempts += ["other:503"]
    one.request = replace(one.request, choices=2, stream=True, model="NAME")
    one.hold = replace(HOLD, amounts=(Microdollars(999),))
    one.plan = Plan((candidate(), candidate("two")), 7, 11)
    second = replace(candidate("two"), worst_case=Microdollars(77))
    assert decode(opening_entry(one, second)) == Opened(
        payer=payer_part(CALLER, HOLD.usage_day),
        offer=offer_part("two", "vendor/name", "vendor/name", PRICE, False),
        usage_day=HOLD.usage_day,
        hold_worst_case=1_000,
        amounts=(999,),
        worst_case=77,
        prompt_tokens_max=7,
        completion_tokens_max=22,
        requested_model="NAME",
        streamed=True,
        route=("sim/vendor/name", "two/vendor/name"),
        attempts=("other:503",),
        created_at=NOW,
    )


@pytest.mark.parametrize("price", [PRICE, DETAILED, FREE], ids=lambda price: price.version)
@pytest.mark.parametrize("reports_cost", [False, True])
def test_a_price_is_kept_exactly(price: Price, reports_cost: bool) -> None:
    part = offer_of(opening_entry(served(None), candidate(f"says {reports_cost}", price, reports_cost=reports_cost)))
    kept = Price(
        part.price_version,
        part.effective_from,
        part.prompt_usd,
        part.completion_usd,
        part.cached_usd,
        part.cache_write_usd,
        part.request_usd,
        part.image_usd,
    )
    assert (kept, part.reports_cost) == (price, reports_cost)


def test_what_is_the_same_for_many_requests_is_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[tuple[object, ...]] = []

    def counted(*fields: object) -> Raw:
        encoded.append(fields)
        return offer_part(*fields)  # type: ignore[arg-type]

    monkeypatch.setattr(opening, "offer_part", counted)
    monkeypatch.setattr(opening, "_offers", {})
    first, second = served(None), served(None)
    second.hold = replace(HOLD, request_id="request-2")
    for one in (first, second):
        opening_entry(one, candidate())
    assert len(encoded) == 1
    newer = with_other(PRICE, version="test/newer", prompt_usd=Decimal(1))
    assert offer_of(opening_entry(first, candidate(price=newer))).prompt_usd == 1
    assert offer_of(opening_entry(first, candidate())).prompt_usd == PRICE.prompt_usd
    assert offer_of(opening_entry(first, candidate("another"))).provider_id == "another"
    first.model = with_other(first.model, id="vendor/another")
    assert offer_of(opening_entry(first, candidate())).model_id == "vendor/another"
    assert len(encoded) == 4


def test_what_is_kept_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    offers: dict[object, Raw] = {}
    monkeypatch.setattr(opening, "_OFFERS_KEPT", 3)
    monkeypatch.setattr(opening, "_offers", offers)
    for number in range(10):
        assert offer_of(opening_entry(served(None), candidate(f"p{number}"))).provider_id == f"p{number}"
        assert len(offers) <= 3


def test_no_word_of_a_prompt_is_in_it() -> None:
    """Guarantees P1; nor an address."""
    one = served(None)
    entry = opening_entry(one, candidate())
    assert b"hello" in one.inbound.body
    assert b"hello" not in entry
    assert b"example.com" not in entry


BROKEN = Failure(FailureKind.BROKEN, "reset", True)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(candidate(), 200, TOLD),
        Reply(candidate(), 500, NO_FACTS),
        Reply(candidate(), 0, NO_FACTS, failure=BROKEN),
        Reply(candidate(), 200, Answer("g", "m", "host", has_output=True, output_units=3), abandoned=True),
        Reply(candidate(), 200, replace(TOLD, usage=Usage(3, 2, 1, 1, 1, Decimal("0.00001"), Decimal("1E-9"), True))),
        Reply(candidate(price=DETAILED), 200, TOLD),
    ],
)
@pytest.mark.parametrize("body", [body_of(), body_of(stream=True, n=3)])
def test_with_an_end_it_is_the_outcome(reply: Reply, body: bytes) -> None:
    """What a worker settles, and what a replay settles in its place, is the same to the last field."""
    one, funds = served(reply), FakeFunds()
    one.request = parse_chat(body)
    one.attempts += ["other:503"]
    entry = opening_entry(one, reply.candidate)
    one.attempts += ["sim:200"]
    asyncio.run(settled(settle_funds.run(one, services(funds=funds))))
    assert recover("request-1", entry, None, encode_entry(closed_of(funds.closed[0]))) == funds.closed[0]


def test_it_says_that_the_caller_pays_elsewhere() -> None:
    one = served(None)
    assert not decode(opening_entry(one, candidate())).is_byok
    one.own = OwnRoute(Rule.OWN_KEYS, True, False)
    assert decode(opening_entry(one, candidate())).is_byok


def test_the_journal_is_told_no_text_of_prompts() -> None:
    """Not where it is kept either: nothing would end its time there (guarantees P1)."""
    one = served(None)
    one.particulars = Particulars(b"o", "session", 17, 8, "be brief canary", "hi canary", rule="split")
    entry = opening_entry(one, candidate())
    assert b"canary" not in entry
    assert decode(entry).particulars == Particulars(b"o", "session", 17, 8, rule="split")
    assert one.particulars.user_prompt_prefix == "hi canary"  # the books still get it
