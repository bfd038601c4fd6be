import pytest
from msgspec.json import encode
from msgspec.structs import replace

from tollway.catalog.classification import PAID, Classification, ModelKind
from tollway.errors import Code
from tollway.gateway.reply import NO_FACTS, Reply
from tollway.gateway.upstream_refusal import refusal_of
from tollway.providers.provider import MESSAGES, RESPONSES
from unit.gateway.fakes import HOSTED, PRESET, candidate

KINDS = Classification(PRESET)
OPEN, STEALTH = KINDS.kind_of(HOSTED), KINDS.kind_of("giga-potato")
ACME = encode({"error": {"message": "Acme says no sk-0123456789ab", "code": "c", "type": "t", "param": "p"}})
SHORT, LONG = b'{"max_tokens":1}', b'{"max_tokens":300000}'


def refused(status: int, body: bytes = ACME, sent: bytes = SHORT, wait: int | None = None) -> Reply:
    return Reply(candidate(), status, NO_FACTS, body=body, sent_body=sent, retry_after_s=wait)


@pytest.mark.parametrize("status", range(300, 400, 7))
@pytest.mark.parametrize("is_byok", [True, False])
def test_nobody_is_sent_elsewhere(status: int, is_byok: bool) -> None:
    problem = refusal_of(refused(status), STEALTH, is_byok)
    assert (problem.code, problem.http_status) == (Code.UPSTREAM_REDIRECT, 502)


@pytest.mark.parametrize("status", [status for status in range(400, 600) if status != 402])
@pytest.mark.parametrize("dialect", [MESSAGES, RESPONSES])
def test_a_vendor_of_another_dialect_is_quoted_by_a_code_of_its_own(status: int, dialect: str) -> None:
    reply = replace(refused(status), candidate=candidate(dialect=dialect))
    problem = refusal_of(reply, PAID, False)
    assert (problem.code, problem.http_status, problem.shown) == (Code.VENDOR_ERROR, status, "Acme says no sk-***")
    silent = refusal_of(replace(reply, body=b"<html>"), PAID, False)
    assert silent.shown
    assert silent.shown != silent.entry.message
    assert refusal_of(replace(reply, status=402), PAID, False).http_status == 503


@pytest.mark.parametrize("status", [600, 777, 999])
def test_what_is_no_refusal_is_a_broken_answer(status: int) -> None:
    problem = refusal_of(refused(status, b"<html>"), PAID, False)
    assert (problem.code, problem.http_status) == (Code.UPSTREAM_BROKEN, 502)


@pytest.mark.parametrize("status", [status for status in range(400, 600) if status != 402])
@pytest.mark.parametrize("kind", [PAID, OPEN], ids=["paid", "hosted"])
def test_a_refusal_keeps_its_status_and_shows_its_words_redacted(status: int, kind: ModelKind) -> None:
    problem = refusal_of(refused(status), kind, False)
    assert (problem.code, problem.http_status) == (Code.UPSTREAM_ERROR, status)
    assert (problem.shown, problem.extra) == ("Acme says no sk-***", {"code": "c", "type": "t"})
    assert problem.retry_after_s == (1 if status in (429, 503) else None)
    assert "sk-***" in problem.detail


def test_how_long_to_wait_is_passed_on() -> None:
    assert refusal_of(refused(429, wait=77), PAID, False).retry_after_s == 77
    assert refusal_of(refused(429, wait=77), PAID, True).retry_after_s == 77


@pytest.mark.parametrize("kind", [PAID, OPEN, STEALTH], ids=["paid", "hosted", "stealth"])
def test_an_operators_empty_account_is_an_outage(kind: ModelKind) -> None:
    problem = refusal_of(refused(402, sent=LONG), kind, False)
    assert (problem.code, problem.http_status, problem.shown) == (Code.SERVICE_UNAVAILABLE, 503, None)


@pytest.mark.parametrize("status", [401, 402, 403, 429])
@pytest.mark.parametrize("kind", [PAID, STEALTH], ids=["paid", "stealth"])
def test_who_brings_a_key_is_told_about_it(status: int, kind: ModelKind) -> None:
    problem = refusal_of(refused(status, sent=LONG), kind, True)
    assert (problem.code, problem.http_status) == (Code.OWN_KEY_REFUSED, status)
    assert problem.shown
    assert problem.shown == problem.title
    assert problem.shown.startswith("[BYOK] Your API ")


@pytest.mark.parametrize("status", [400, 404, 408, 500, 503])
def test_other_refusals_say_nothing_about_the_key(status: int) -> None:
    assert refusal_of(refused(status), PAID, True).code is Code.UPSTREAM_ERROR


def test_the_length_of_a_hosted_models_context_is_told_before_anything_is_hidden() -> None:
    problem = refusal_of(refused(500, sent=LONG), STEALTH, False)
    assert (problem.code, problem.http_status) == (Code.CONTEXT_LENGTH_EXCEEDED, 500)
    text = "The maximum context length is 256000 tokens. However, about 300005 tokens were requested."
    assert (problem.shown, problem.title) == (text, text)
    assert refusal_of(refused(500, sent=LONG), PAID, False).code is Code.UPSTREAM_ERROR


@pytest.mark.parametrize(("asked", "code"), [(77_994, Code.UPSTREAM_ERROR), (77_995, Code.CONTEXT_LENGTH_EXCEEDED)])
def test_the_context_is_full_at_its_length(asked: int, code: Code) -> None:
    sent = b'{"max_tokens":%d}' % asked  # 20 units, hence 5 tokens more; the model has 78,000
    assert refusal_of(refused(400, sent=sent), OPEN, False).code is code


def test_a_hidden_upstreams_words_stay_hidden() -> None:
    problem = refusal_of(refused(500), STEALTH, False)
    assert (problem.code, problem.http_status) == (Code.STEALTH_MODEL_ERROR, 500)
    assert problem.shown == problem.title == "Stealth model unable to process request"
    assert not problem.extra
