import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.abuse import SIGNALS, VERDICTS, CostReport, Verdict, encode_question, read_verdict, was_taken
from tollway.wire.json_body import JsonValue

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3))
NAMES = st.sampled_from(["verdict", "risk_score", "signals", "context", "request_id"])


def read(**said: JsonValue) -> Verdict | None:
    return read_verdict(json.dumps({"verdict": "ALLOW", **said}).encode())


def test_a_whole_answer() -> None:
    context = {"identity_key": "idk:1", "current_spend_1h": 1, "is_new_user": True, "requests_per_second": 2}
    said = read(risk_score=0.5, signals=["known_abuser", "high_velocity"], context=context, request_id=77)
    assert said == Verdict("ALLOW", 77, 0.5, ("high_velocity", "known_abuser"), "idk:1", 2.0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"verdict":"MAYBE"}',
        b'{"verdict":null}',
        b'{"verdict":["ALLOW"]}',
        b'{"request_id":77}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
)
def test_what_is_no_verdict(body: bytes) -> None:
    assert read_verdict(body) is None
    assert not was_taken(body)


@pytest.mark.parametrize(
    ("id_", "expected"),
    [
        (0, 0),
        (77, 77),
        (77.0, 77),
        (77.5, 0),
        (True, 0),
        ("77", 0),
        ([77], 0),
        (None, 0),
        (-1, 0),
        (2**63 - 1, 2**63 - 1),
        (2**63, 0),
    ],
)
def test_ids(id_: JsonValue, expected: int) -> None:
    said = read(request_id=id_)
    assert said is not None
    assert said.request_id == expected


@pytest.mark.parametrize("key", ["your prompt, word for word", "x" * 129, "", 7, None, "a\nb", "ä"])
def test_an_identity_key_is_a_name_or_nothing(key: JsonValue) -> None:
    assert read(context={"identity_key": key}) == Verdict("ALLOW")


@given(st.dictionaries(NAMES, VALUES), st.sampled_from(VERDICTS))
def test_nonsense_never_raises_and_nobodys_words_are_repeated(said: dict[str, JsonValue], verdict: str) -> None:
    found = read_verdict(json.dumps({**said, "verdict": verdict}).encode())
    assert found is not None
    assert found.verdict == verdict
    assert set(found.signals) <= SIGNALS | {"other"}
    assert found.request_id >= 0


def test_a_report_says_everything_in_order() -> None:
    report = CostReport("u", "::1", None, "agent", 7, "gen-1", 21, "a/b", 10, 2, 4, 3)
    assert json.loads(encode_question(report)) == {
        "kilo_user_id": "u",
        "ip_address": "::1",
        "ja4_digest": None,
        "user_agent": "agent",
        "request_id": 7,
        "message_id": "gen-1",
        "cost": 21,
        "requested_model": "a/b",
        "input_tokens": 10,
        "output_tokens": 2,
        "cache_write_tokens": 4,
        "cache_hit_tokens": 3,
    }


def test_what_was_taken() -> None:
    assert was_taken(b'{"success":true,"message_id":"gen-1"}')
    assert not was_taken(b'{"success":false,"error":"no"}')
