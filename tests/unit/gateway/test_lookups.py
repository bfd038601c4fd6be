"""Estimates against the upstream's own record, with everything that an upstream may say to the question."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tollway.billing.ledger import Basis, Correction
from tollway.billing.store import LOOKUPS_MAX, StoreUnavailableError
from tollway.catalog.model import Price
from tollway.gateway.early_lookups import may_change
from tollway.gateway.lookups import BATCH_MAX, READY_AFTER, LookedUp, is_refusal
from tollway.gateway.upstream_port import Failure, FailureKind
from tollway.money import Microdollars, MoneyOverflowError
from unit.gateway import fakes
from unit.gateway.fake_lookups import Answer, FakeCorrections, FakeFetch, row, run, told, upstream
from unit.gateway.fakes import NOW, PRICE

GONE = Failure(FailureKind.CONNECT, "refused", False)


def test_an_estimate_becomes_what_the_upstream_has_recorded_at_most_once() -> None:
    corrections, fetch = FakeCorrections(row(1), row(2)), FakeFetch({"m1": told(0.00015), "m2": told(0.00002)})
    assert run(corrections, fetch) == LookedUp(corrected=2, amount=50 - 80)
    assert corrections.corrected == {"r1": Correction(50, 0), "r2": Correction(-80, 0)}
    assert run(corrections, fetch) == LookedUp()
    assert fetch.asked == ["m1", "m2"]


def test_what_was_absorbed_is_corrected_there() -> None:
    corrections = FakeCorrections(row(1, basis=Basis.ABSORBED, charge=Microdollars(0)))
    assert run(corrections, FakeFetch({"m1": told()})) == LookedUp(corrected=1, amount=150)
    assert corrections.corrected == {"r1": Correction(0, 150)}


def test_without_a_cost_it_is_tokens_times_the_price_of_the_hold() -> None:
    counted = told(None, native_tokens_prompt=10, native_tokens_completion=20)
    corrections = FakeCorrections(row(1), row(2, price_version="test/2"))
    dearer = Price("test/2", NOW, Decimal("0.000003"), Decimal("0.000009"))
    run(corrections, FakeFetch({"m1": counted, "m2": counted}), prices={"test/1": PRICE, "test/2": dearer})
    assert corrections.corrected == {"r1": Correction(180 - 100, 0), "r2": Correction(210 - 100, 0)}


def test_a_cost_counts_only_where_the_provider_is_charged_by_it() -> None:
    corrections, fetch = FakeCorrections(row(1)), FakeFetch({"m1": told(native_tokens_prompt=10)})
    run(corrections, fetch, upstream(reports_cost=False))
    assert corrections.corrected == {"r1": Correction(20 - 100, 0)}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((404, b'{"error":"not found"}'), id="not known yet"),
        pytest.param((404, told()[1]), id="not known yet, whatever else it says"),
        pytest.param((200, b""), id="nothing"),
        pytest.param((200, b"<html>"), id="nonsense"),
        pytest.param((200, b'{"data":{}}'), id="an empty record"),
        pytest.param(told(-1), id="no cost"),
        pytest.param(told(0.010001), id="beyond ten worst cases"),
        pytest.param(told(native_tokens_completion=1_001), id="beyond what can have been generated"),
    ],
)  # fmt: skip
def test_what_says_nothing_is_asked_again_until_it_is_given_up(answer: Answer) -> None:
    corrections, fetch = FakeCorrections(row(1), row(2)), FakeFetch({"m1": answer, "m2": told()})
    assert run(corrections, fetch) == LookedUp(corrected=1, amount=50, unknown=1)
    assert corrections.failed == ["r1"]
    for _ in range(LOOKUPS_MAX + 3):
        run(corrections, fetch)
    assert fetch.asked.count("m1") == LOOKUPS_MAX
    assert corrections.corrected == {"r2": Correction(50, 0)}


def test_what_is_known_later_is_corrected_then() -> None:
    corrections, fetch = FakeCorrections(row(1)), FakeFetch({"m1": (404, b"")})
    assert run(corrections, fetch) == LookedUp(unknown=1)
    fetch.answers["m1"] = told()
    assert run(corrections, fetch) == LookedUp(corrected=1, amount=50)


@pytest.mark.parametrize(
    "answer",
    [
        *(GONE, (500, b""), (503, told()[1]), (408, b""), (425, b""), (429, b""), (302, b""), (204, b"")),
    ],
    ids=str,
)
def test_an_upstream_that_does_not_answer_is_left_alone_until_the_next_time(answer: Answer) -> None:
    """It is asked about one request each time, so that an hour without it does not use up what is tried for all."""
    rows = [row(number) for number in range(5)]
    corrections, fetch = FakeCorrections(*rows), FakeFetch({one.message_id: answer for one in rows})
    with capture_logs() as lines:
        assert run(corrections, fetch) == LookedUp(unknown=5)
    assert (fetch.asked, corrections.failed) == (["m0"], ["r0"])
    assert [(line["event"], line["upstream"]) for line in lines] == [("lookup_failed", "sim")]
    fetch.answers = {one.message_id: told() for one in rows}
    assert run(corrections, fetch) == LookedUp(corrected=5, amount=250)


@pytest.mark.parametrize("status", [400, 401, 402, 403, 405, 410, 422])
def test_who_refuses_to_tell_about_a_request_is_never_asked_about_it_again(status: int) -> None:
    """About the others, next time: it may have been this question that was wrong."""
    corrections, fetch = FakeCorrections(row(1), row(2)), FakeFetch({"m1": (status, b""), "m2": told()})
    assert run(corrections, fetch) == LookedUp(unknown=2)
    fetch.answers["m1"] = told()
    assert run(corrections, fetch) == LookedUp(corrected=1, amount=50)
    assert run(corrections, fetch) == LookedUp()
    assert (fetch.asked, corrections.corrected) == (["m1", "m2"], {"r2": Correction(50, 0)})


@given(st.integers(200, 599))
def test_a_refusal_is_never_what_may_change(status: int) -> None:
    assert not (is_refusal(status) and may_change((status, b"")))
    assert is_refusal(status) is (400 <= status < 500 and status not in (404, 408, 425, 429))


def test_a_request_at_which_an_upstream_always_fails_does_not_keep_the_others_out() -> None:
    corrections, fetch = FakeCorrections(row(1), row(2)), FakeFetch({"m1": (500, b""), "m2": told()})
    for _ in range(LOOKUPS_MAX):
        assert run(corrections, fetch) == LookedUp(unknown=2)
    assert run(corrections, fetch) == LookedUp(corrected=1, amount=50)


def test_another_upstream_is_asked_all_the_same() -> None:
    corrections = FakeCorrections(row(1), row(2, provider_id="other"), row(3))
    fetch = FakeFetch({"m1": GONE, "m2": told()})
    assert run(corrections, fetch, upstream(), upstream("other")) == LookedUp(corrected=1, amount=50, unknown=2)
    assert fetch.asked == ["m1", "m2"]


def test_those_without_an_upstream_to_ask_are_counted_and_stay_as_they_are() -> None:
    corrections = FakeCorrections(
        *(row(number, provider_id="mute") for number in range(BATCH_MAX + 1)),
        row(200, provider_id="no longer there"),
        row(201),
    )
    fetch = FakeFetch({"m201": told()})
    mute = fakes.upstream("mute")
    assert run(corrections, fetch, mute, upstream()) == LookedUp(corrected=1, amount=50, unasked=BATCH_MAX + 2)
    assert (fetch.asked, corrections.failed) == (["m201"], [])


def test_only_what_is_over_for_a_while_is_asked_about_and_not_all_at_once() -> None:
    corrections = FakeCorrections(
        row(1, created_at=NOW - READY_AFTER), row(2, created_at=NOW - READY_AFTER - timedelta(microseconds=1))
    )
    fetch = FakeFetch({"m2": told()})
    run(corrections, fetch)
    assert (fetch.asked, corrections.asked) == (["m2"], [(NOW - READY_AFTER, BATCH_MAX)])


def test_what_took_long_and_has_just_ended_is_not_asked_about_yet() -> None:
    """Its worker does, at that time."""
    began = NOW - READY_AFTER - timedelta(seconds=30)
    corrections = FakeCorrections(
        row(1, created_at=began, latency_ms=30_001), row(2, created_at=began, latency_ms=30_000)
    )
    fetch = FakeFetch({"m2": told()})
    assert run(corrections, fetch).unknown == 1
    assert (fetch.asked, corrections.failed) == (["m2"], [])


def test_a_price_that_is_gone_corrects_nothing() -> None:
    corrections = FakeCorrections(row(1))
    assert run(corrections, FakeFetch({"m1": told()}), prices={}) == LookedUp(unknown=1)


def test_what_somebody_else_corrected_meanwhile_is_not_counted_twice() -> None:
    corrections = FakeCorrections(row(1))
    corrections.taken.add("r1")
    assert run(corrections, FakeFetch({"m1": told()})) == LookedUp(corrected=1, amount=0)
    assert corrections.failed == []


@pytest.mark.parametrize("error", [MoneyOverflowError("too much"), ValueError("more than was booked")])
def test_one_that_the_books_cannot_take_does_not_keep_the_others_out(error: Exception) -> None:
    corrections, fetch = FakeCorrections(row(1), row(2)), FakeFetch({"m1": told(), "m2": told()})
    corrections.refuses["r1"] = error
    with capture_logs() as lines:
        assert run(corrections, fetch) == LookedUp(corrected=1, amount=50, unknown=1)
    assert [(line["event"], line["request_id"]) for line in lines] == [("correction_refused", "r1")]
    assert corrections.failed == ["r1"]


@pytest.mark.parametrize(
    ("answer", "event"),
    [
        (told(0.010001), "implausible_record"),
        (told(0.0000075, is_byok=True), "own_key_price_unknown"),
        (told(0.0000075, is_byok=True, upstream_inference_cost=0.00015), None),
        (told(), None),
    ],
)
def test_what_is_odd_is_said(answer: Answer, event: str | None) -> None:
    corrections = FakeCorrections(row(1))
    with capture_logs() as lines:
        run(corrections, FakeFetch({"m1": answer}))
    assert [line["event"] for line in lines] == [event] * (event is not None)
    assert corrections.corrected == ({} if event == "implausible_record" else {"r1": Correction(50, 0)})


@pytest.mark.parametrize(
    ("message_id", "written"),
    [
        ("a/b?c", "a%2Fb%3Fc"),
        ("a b&id=c#d", "a%20b%26id%3Dc%23d"),
        ("a\r\nHost: evil", "a%0D%0AHost%3A%20evil"),
        ("é%", "%C3%A9%25"),
    ],
)
def test_a_message_id_stays_one_value_of_the_address(message_id: str, written: str) -> None:
    fetch = FakeFetch({written: told()})
    assert run(FakeCorrections(row(1, message_id=message_id)), fetch).corrected == 1
    assert fetch.heads == [f"GET /v1/generation?id={written} HTTP/1.1\r\nHost: up.example\r\n".encode()]


@pytest.mark.parametrize("calls", [0, 1, 2])
def test_without_the_database_it_ends_and_nothing_is_lost(calls: int) -> None:
    corrections, fetch = FakeCorrections(row(1), row(2)), FakeFetch({"m1": told(), "m2": told()})
    corrections.away_after = calls
    with pytest.raises(StoreUnavailableError):
        run(corrections, fetch)
    corrections.away_after = 1_000
    run(corrections, fetch)
    assert corrections.corrected == {"r1": Correction(50, 0), "r2": Correction(50, 0)}
