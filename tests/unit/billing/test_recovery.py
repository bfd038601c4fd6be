"""What a journal keeps of a request is its outcome: exactly the one that was closed, or that of an answer cut short."""

from dataclasses import replace as with_price
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import MsgspecError, Raw
from msgspec.msgpack import decode, encode
from msgspec.structs import replace

from tollway.billing.charge import Ending, decide_charge
from tollway.billing.ledger import Basis, Outcome
from tollway.billing.particulars import NO_PARTICULARS, Particulars
from tollway.billing.recovery import (
    Opened,
    PayerPart,
    Progressed,
    closed_of,
    encode_entry,
    offer_part,
    recover,
)
from tollway.catalog.model import FREE, Price
from tollway.money import MICRODOLLARS_MAX, Microdollars
from tollway.wire.answer import Answer
from tollway.wire.usage import Usage
from unit.billing.outcomes import DAY, KEY, RECORD, USER, hold_of, outcome_of

NOW = datetime(2026, 11, 20, 12, 30, 1, 234_567, tzinfo=UTC)
PRICE: Final = Price("sim/2", NOW, Decimal("0.000002"), Decimal("0.00001"), Decimal("1E-7"), None, Decimal("0.0001"))
HOLD = hold_of("r", 1_000, 1_000, 700, budgets=(USER, KEY))
ROUTE = ("sim/m", "other/m")
FIELDS = Raw(encode_entry(PayerPart("ada", "org", "key", (USER, KEY))))
OUTPUT = Answer("gen-1", "m-1", "host", has_output=True, output_units=3)


def opened(price: Price = PRICE, reports_cost: bool = False, **changes: object) -> Opened:
    entry = Opened(
        payer=FIELDS,
        offer=offer_part("sim", "vendor/m", "m", price, reports_cost),
        usage_day=DAY,
        hold_worst_case=HOLD.worst_case,
        amounts=HOLD.amounts,
        worst_case=900,
        prompt_tokens_max=200,
        completion_tokens_max=50,
        requested_model="M",
        streamed=True,
        route=ROUTE,
        attempts=("other:503",),
        created_at=NOW,
    )
    return replace(entry, **changes)


def ending_of(progress: Progressed, price: Price = PRICE, reports_cost: bool = False) -> Ending:
    """What an interrupted answer is decided from."""
    answer = progress.answer
    return Ending(
        price=price,
        worst_case=Microdollars(900),
        prompt_tokens_max=200,
        completion_tokens_max=50,
        prompt_text_bytes=progress.prompt_text_bytes,
        status=progress.status,
        usage=answer.usage,
        has_output=answer.has_output,
        finish_reason=answer.finish_reason,
        has_error=answer.has_error,
        interrupted=True,
        deltas=answer.output_units or 0,
        text_bytes=answer.text_bytes,
        reports_cost=reports_cost,
        is_free=price.is_free,
    )


def interrupted(progress: Progressed | None, price: Price = PRICE, reports_cost: bool = False) -> Outcome:
    told = encode_entry(progress) if progress else None
    return recover("r", encode_entry(opened(price, reports_cost)), told, None)


counts = st.integers(0, 2_000) | st.integers(0, 10**12)
costs = st.none() | st.decimals(0, 10**9, allow_nan=False)
usages = st.builds(
    Usage, counts, counts, counts, counts, counts, costs, costs, st.none() | st.booleans(), st.booleans()
)
money = st.integers(0, MICRODOLLARS_MAX).map(Microdollars)
words = st.text(max_size=20)
labels = st.none() | words
answers = st.builds(
    Answer, labels, labels, labels, labels, st.none() | usages, st.booleans(), st.booleans(), st.none() | counts, counts
)


# closed


@given(
    st.builds(
        Outcome,
        hold=st.just(HOLD),
        usage=usages,
        basis=st.sampled_from(Basis),
        charge=money,
        absorbed=money,
        market_cost=money,
        list_cost=money,
        reported_cost=st.none() | money,
        record=st.builds(
            replace,
            st.just(RECORD),
            organization_id=st.just("org"),
            requested_model=st.just("M"),
            provider_id=st.just("sim"),
            upstream_model=st.just("m"),
            streamed=st.just(True),
            price_version=st.just(PRICE.version),
            prompt_usd=st.just(PRICE.prompt_usd),
            completion_usd=st.just(PRICE.completion_usd),
            prompt_tokens_max=st.just(200),
            completion_tokens_max=st.just(50),
            route=st.just(ROUTE),
            created_at=st.just(NOW),
            model=words,
            inference_provider=labels,
            message_id=labels,
            finish_reason=labels,
            status_code=st.integers(0, 999),
            has_error=st.booleans(),
            cancelled=st.booleans(),
            attempts=st.lists(words, max_size=4).map(tuple),
            latency_ms=st.integers(0, 10**9),
        ),
    ),
    st.none() | st.just(encode_entry(Progressed(200, OUTPUT, 80))),
)
def test_what_was_closed_is_recovered_as_it_was(outcome: Outcome, progress: bytes | None) -> None:
    """Whatever was told on the way: an end is final."""
    assert recover("r", encode_entry(opened()), progress, encode_entry(closed_of(outcome))) == outcome


@pytest.mark.parametrize(
    "change",
    [
        {"payer": Raw(encode_entry(PayerPart("bob", None, None, (USER,))))},
        {"offer": offer_part("other", "vendor/m", "n", with_price(PRICE, version="other/1"), True)},
        {"requested_model": "alias"},
        {"streamed": False},
        {"route": ("one",)},
        {"created_at": datetime(2026, 1, 1, tzinfo=UTC)},
        {"prompt_tokens_max": 1},
        {"completion_tokens_max": 1},
        {"amounts": (1, 2)},
        {"hold_worst_case": 5},
        {"usage_day": datetime(2026, 1, 1, tzinfo=UTC).date()},
        {"particulars": Particulars(b"o", "session")},
    ],
    ids=lambda change: next(iter(change)),
)
def test_everything_that_was_opened_is_in_the_outcome(change: dict[str, object]) -> None:
    end = encode_entry(closed_of(outcome_of(HOLD, 3)))
    assert recover("r", encode_entry(opened(**change)), None, end) != recover("r", encode_entry(opened()), None, end)


SAID = Particulars(b"origin", "session", 17, 8, "be brief", "hi")


@pytest.mark.parametrize("end", [None, encode_entry(closed_of(outcome_of(HOLD, 3)))], ids=["interrupted", "closed"])
def test_what_a_request_said_of_itself_survives(end: bytes | None) -> None:
    assert recover("r", encode_entry(opened(particulars=SAID)), None, end).record.particulars == SAID


def test_an_entry_of_a_version_that_kept_no_particulars_is_read() -> None:
    fields = decode(encode_entry(opened()))
    assert recover("r", encode(fields[:-1]), None, None).record.particulars == NO_PARTICULARS


def test_the_callers_own_key_pays_an_interrupted_answer_too() -> None:
    """Nobody here is charged, and nothing is borne by the operator."""
    progress = encode_entry(Progressed(200, OUTPUT, 80))
    own = encode_entry(opened(is_byok=True, hold_worst_case=0, amounts=(0, 0)))
    outcome = recover("r", own, progress, None)
    assert (outcome.basis, outcome.charge, outcome.absorbed) == (Basis.BYOK, 0, 0)
    assert outcome.market_cost > 0


def test_a_stealth_model_keeps_its_name_when_it_is_interrupted() -> None:
    progress = encode_entry(Progressed(200, OUTPUT, 80))
    stealth = encode_entry(opened(particulars=Particulars(hides_model=True)))
    assert recover("r", stealth, progress, None).record.model == "vendor/m"
    assert recover("r", encode_entry(opened()), progress, None).record.model == "m-1"


def test_who_what_and_when_are_those_of_the_opening() -> None:
    outcome = recover("r", encode_entry(opened()), None, encode_entry(closed_of(outcome_of(HOLD, 3))))
    record = outcome.record
    assert outcome.hold == HOLD
    assert (record.user_id, record.organization_id, record.key_id) == ("ada", "org", "key")
    assert (record.provider_id, record.upstream_model, record.price_version) == ("sim", "m", "sim/2")
    assert (record.prompt_usd, record.completion_usd) == (PRICE.prompt_usd, PRICE.completion_usd)
    assert (record.created_at, record.route, record.requested_model) == (NOW, ROUTE, "M")


def test_a_name_is_free_of_nul_as_everywhere() -> None:
    outcome = recover("r", encode_entry(opened(requested_model="a\0b")), None, None)
    assert outcome.record.requested_model == "ab"


# interrupted


@settings(max_examples=300)
@given(
    st.integers(0, 599),
    answers,
    st.integers(0, 10**6),
    st.booleans(),
    st.sampled_from([PRICE, FREE, with_price(PRICE, request_usd=Decimal(0))]),
)
def test_what_was_not_closed_is_charged_like_any_answer_that_broke_off(
    status: int, answer: Answer, prompt_bytes: int, reports_cost: bool, price: Price
) -> None:
    progress = Progressed(status, answer, prompt_bytes)
    outcome = interrupted(progress, price, reports_cost)
    charge = decide_charge(ending_of(progress, price, reports_cost))
    assert (outcome.usage, outcome.charge, outcome.absorbed) == (charge.usage, charge.charge, charge.absorbed)
    assert (outcome.market_cost, outcome.list_cost) == (charge.market_cost, charge.list_cost)
    assert outcome.reported_cost == charge.reported_cost
    assert outcome.basis is (Basis.INTERRUPTED if charge.charge else charge.basis)
    record = outcome.record
    assert (record.status_code, record.has_error, record.cancelled, record.latency_ms) == (status, True, False, 0)
    assert (record.message_id, record.finish_reason) == (answer.message_id, answer.finish_reason)


@pytest.mark.parametrize(
    ("answer", "basis", "charge", "absorbed"),
    [
        # 10 tokens of a prompt of 80 bytes, three pieces, 100 for the request
        (OUTPUT, Basis.INTERRUPTED, 100 + 10 * 2 + 3 * 10, 0),
        # what was reported last counts, however it came to its end
        (replace(OUTPUT, usage=Usage(7, 5)), Basis.INTERRUPTED, 100 + 7 * 2 + 5 * 10, 0),
        (replace(OUTPUT, usage=Usage(7, 5), finish_reason="stop"), Basis.INTERRUPTED, 100 + 7 * 2 + 5 * 10, 0),
        # a part of the prompt came from a cache and costs a twentieth
        (replace(OUTPUT, usage=Usage(30, 5, cached_tokens=20)), Basis.INTERRUPTED, 100 + 10 * 2 + 2 + 5 * 10, 0),
        # no output costs the caller nothing; what the upstream bills is ours (guarantees M7)
        (Answer("gen-1", "m-1"), Basis.ABSORBED, 0, 0),
        (Answer("gen-1", "m-1", usage=Usage(7, 0)), Basis.ABSORBED, 0, 100 + 7 * 2),
    ],
)
def test_what_had_passed_is_charged(answer: Answer, basis: Basis, charge: int, absorbed: int) -> None:
    outcome = interrupted(Progressed(200, answer, 80))
    assert (outcome.basis, outcome.charge, outcome.absorbed) == (basis, charge, absorbed)
    assert (outcome.record.model, outcome.record.attempts) == ("m-1", ("other:503", "sim:interrupted"))


@pytest.mark.parametrize(("cost_usd", "charge"), [("0.009", 9_000), ("0.009001", 100 + 7 * 2 + 5 * 10)])
def test_a_cost_is_believed_up_to_ten_times_the_candidates_worst_case(cost_usd: str, charge: int) -> None:
    """Not the hold's, which may be that of a dearer candidate."""
    told = replace(OUTPUT, usage=Usage(7, 5, cost_usd=Decimal(cost_usd)))
    assert interrupted(Progressed(200, told, 80), reports_cost=True).charge == charge


def test_a_free_model_stays_free() -> None:
    outcome = interrupted(Progressed(200, OUTPUT, 80), FREE)
    assert (outcome.basis, outcome.charge) == (Basis.FREE, 0)


def test_what_was_promoted_stays_free() -> None:
    """Nothing was held, whatever the price is."""
    entry = encode_entry(opened(hold_worst_case=0, amounts=(0, 0)))
    outcome = recover("r", entry, encode_entry(Progressed(200, OUTPUT, 80)), None)
    assert (outcome.basis, outcome.charge) == (Basis.FREE, 0)
    assert outcome.absorbed > 0


def test_where_nothing_had_passed_nothing_is_charged() -> None:
    outcome = interrupted(None)
    assert (outcome.basis, outcome.charge, outcome.absorbed, outcome.usage) == (Basis.ABSORBED, 0, 0, Usage(0, 0))
    assert (outcome.record.model, outcome.record.status_code, outcome.record.has_error) == ("vendor/m", 0, True)


# damaged

WHOLE = (
    encode_entry(opened()),
    encode_entry(Progressed(200, replace(OUTPUT, usage=Usage(7, 5, cost_usd=Decimal("0.5"))), 80)),
    encode_entry(closed_of(outcome_of(HOLD, 3))),
)


def recover_damaged(place: int, damaged: bytes) -> None:
    """The entry at that place is damaged. An end supersedes progress, so that is read without one only."""
    start, progress, end = [damaged if number == place else entry for number, entry in enumerate(WHOLE)]
    recover("r", start, progress, None if place == 1 else end)


@pytest.mark.parametrize("place", range(3), ids=["opened", "progressed", "closed"])
@pytest.mark.parametrize("entry", [b"\x00", b"\xc1", encode_entry({}), encode_entry([]), encode_entry(["a"] * 99)])
def test_what_is_not_an_entry_is_refused(place: int, entry: bytes) -> None:
    with pytest.raises(MsgspecError):
        recover_damaged(place, entry)


@pytest.mark.parametrize("place", range(3), ids=["opened", "progressed", "closed"])
def test_an_entry_that_was_cut_is_refused(place: int) -> None:
    for length in range(1, len(WHOLE[place])):
        with pytest.raises(MsgspecError):
            recover_damaged(place, WHOLE[place][:length])


@pytest.mark.parametrize("place", range(3), ids=["opened", "progressed", "closed"])
def test_whatever_the_bytes_are_nothing_else_is_raised(place: int) -> None:
    random, refused = Random(place), 0
    for _ in range(3_000):
        damaged = bytearray(WHOLE[place])
        for _ in range(random.choice([1, 1, 4])):
            damaged[random.randrange(len(damaged))] = random.randrange(256)
        try:
            recover_damaged(place, bytes(damaged))
        except (MsgspecError, ValueError, ArithmeticError):
            refused += 1
    assert refused > 500


@given(st.integers(0, 3), st.booleans())
def test_whoever_pays_the_upstream_themselves_is_never_charged_here(output: int, reports_cost: bool) -> None:
    """However far it had come: nor does the operator bear anything."""
    answer = Answer("gen-1", "m-1", "host", usage=Usage(10, 5, cost_usd=Decimal("0.5")), has_output=output > 0)
    for hold in (0, 1_000):
        entry = opened(reports_cost=reports_cost, is_byok=True, hold_worst_case=hold, worst_case=hold)
        for progress in (None, encode_entry(Progressed(200, answer, 100))):
            found = recover("r", encode_entry(entry), progress, None)
            assert (found.basis, found.charge, found.absorbed) == (Basis.BYOK, 0, 0)
        assert found.market_cost > 0


def test_entries_of_earlier_versions_can_be_read() -> None:
    whole, cut = encode_entry(opened()), encode_entry(_plain(opened())[:-1])
    assert recover("r", cut, None, None) == recover("r", whole, None, None)


def _plain(entry: Opened) -> tuple[object, ...]:
    """Its fields in order."""
    return tuple(getattr(entry, name) for name in entry.__struct_fields__)
