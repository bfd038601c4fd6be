"""The tap: the same bytes and the same facts however a stream is cut, checked against a plain decoder."""

import itertools
import json
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tollway.wire.scan as scanning
from tollway.wire.answer import LABEL_CHARS_MAX
from tollway.wire.scan import StreamScanner
from tollway.wire.usage import Usage, read_usage

CHUNK = (
    b'data: {"id":"c","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"%s"},'
    b'"finish_reason":null}],"usage":null}\n\n'
)
PADDED = CHUNK.replace(b'"usage":null', b'"usage":null,"obfuscation":"%s"')
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"cost":0.25}}\n\n'
ERROR = b'data: {"error":{"message":"no"},"choices":[]}\n\n'
DONE = b"data: [DONE]\n\n"


def facts(scanner: StreamScanner) -> dict[str, object]:
    names = ("done", "ending", "message_id", "model", "inference_provider", "finish_reason", "usage", "has_error")
    return {name: getattr(scanner, name) for name in (*names, "deltas", "body_bytes", "too_long", "has_output")}


def scan(pieces: list[bytes], **limits: int) -> tuple[bytes, dict[str, object]]:
    scanner = StreamScanner(**limits)
    forwarded = b"".join([scanner.feed(piece) for piece in pieces]) + scanner.close()
    assert scanner.at_boundary
    return forwarded, facts(scanner)


def cut(stream: bytes, at: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(place % (len(stream) + 1) for place in at)})
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


# --- a plain decoder -------------------------------------------------------------------------------------------------


@dataclass
class Plain:
    """What response-path 6.2 says, written without a thought for speed."""

    message_id: str | None = None
    model: str | None = None
    inference_provider: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    has_error: bool = False
    deltas: int = 0
    unnamed: int = 16
    provider: object = b"none yet"  # as it was last written
    torn: bool = False  # malformed JSON came by, whose output a search may count and a decoder cannot

    def take(self, data: str) -> None:
        try:
            event = json.loads(data)
        except ValueError:
            self.torn = True
            return
        if not isinstance(event, dict):
            return
        keys = list(walk(event))
        providers = [value for key, _, value in keys if key == "provider"]
        if (
            self.unnamed
            or any(key == "error" or (key, kind) in MATTER for key, kind, _ in keys)
            or providers not in ([], [self.provider])
        ):
            self.read(event)
        self.deltas += event.get("error") is None and any(is_output(*key) for key in keys)

    def read(self, event: dict[str, Any]) -> None:
        first = event["choices"][0] if event.get("choices") else {}
        self.message_id = event.get("id") or self.message_id
        self.model = event.get("model") or self.model
        self.unnamed = 0 if self.message_id and self.model else max(0, self.unnamed - 1)
        self.provider = event.get("provider", self.provider)
        self.inference_provider = (event.get("provider") or "").strip() or self.inference_provider
        self.finish_reason = first.get("finish_reason") or self.finish_reason
        self.usage = read_usage(json.dumps(event.get("usage")).encode()) or self.usage
        self.has_error |= "error" in event


MATTER = {("usage", dict), ("finish_reason", str)}
TEXTS = {"content", "reasoning", "reasoning_content", "refusal", "text", "arguments", "transcript", "data"}


def walk(value: object) -> Any:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key, type(inner), inner
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner)


def is_output(key: str, kind: type, value: Any) -> bool:
    if kind is str:
        return key in TEXTS and value != ""
    return bool(value) and key in {"tool_calls", "images", "function_call"}


def plain(stream: bytes) -> tuple[bytes, bytes, Plain]:
    """What is forwarded, what ends it, and the facts."""
    state, data, start, at = Plain(), [], 0, 0
    body = stream.removeprefix(b"\xef\xbb\xbf")
    at = start = len(stream) - len(body)
    while at < len(stream):
        found = re.compile(rb"\r\n|\r|\n").search(stream, at)
        line, at = (stream[at : found.start()], found.end()) if found else (stream[at:], len(stream))
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" ").decode(errors="replace"))
        if line == b"" or at == len(stream):
            whole = "\n".join(data)
            if whole.startswith("[DONE]"):
                begin = 0 if start == len(stream) - len(body) else start
                return stream[:begin], stream[begin:at], state
            state.take(whole)
            start, data = at, []
    return stream, b"", state


# --- streams ---------------------------------------------------------------------------------------------------------

ids = st.sampled_from(["", "gen-1", "gen-2", None])
texts = st.text(max_size=6) | st.sampled_from(
    ["error", "usage", '"error":{}', '"usage":{', "[DONE]", '"', "\\", "]", "}"]
)
deltas = st.fixed_dictionaries(
    {},
    optional={
        "role": st.just("assistant"),
        "content": st.none() | texts,
        "reasoning": texts,
        "tool_calls": st.lists(
            st.fixed_dictionaries({"function": st.fixed_dictionaries({"arguments": texts})}), max_size=2
        ),
        "function_call": st.fixed_dictionaries({"name": texts}),
        "refusal": st.none(),
    },
)
choices = st.fixed_dictionaries(
    {"delta": deltas}, optional={"finish_reason": st.sampled_from([None, None, "stop", "error"])}
)
events = st.fixed_dictionaries(
    {"id": ids, "model": ids, "choices": st.lists(choices, max_size=2)},
    optional={
        "provider": ids,
        "usage": st.none()
        | st.builds(lambda n: {"prompt_tokens": n, "completion_tokens": 1, "cost": 0.5}, st.integers(-1, 9)),
        "error": st.none() | st.just({"code": 402}),
        "obfuscation": st.text("ab", max_size=3),
    },
)
line_ends = st.sampled_from([b"\n", b"\n", b"\r\n", b"\r"])


@st.composite
def json_lines(draw: st.DrawFn) -> list[bytes]:
    styles = st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :  ")])
    text = json.dumps(draw(events), separators=draw(styles), ensure_ascii=draw(st.booleans())).encode()
    prefix = draw(st.sampled_from([b"data: ", b"data:"]))
    if draw(st.booleans()) and b'"choices"' in text:  # a line may end wherever JSON allows white space
        at = text.index(b'"choices"')
        return [prefix + text[:at], b": a comment in between", prefix + text[at:]]
    return [prefix + text]


others = st.sampled_from(
    [
        *([b": KEEP ALIVE"], [b"event: x", b"data: 1"], [b"data"], [b"data: {oops"], [b"data: [1]"], [b"data: \xff"]),
        *([b""], [b"data:  [DONE]"], [b"dat: [DONE]"], [b"data:\x0b{}"], [b"data: data:{}"]),
        [b"data: a\xe2\x80\xa8b\xc2\x85c\x0bd\x0ce"],
    ]
)
done = st.sampled_from([[b"data: [DONE]"], [b"data:[DONE]"], [b"id: 1", b"data: [DONE]", b": x"]])


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    blocks = draw(st.lists(json_lines() | json_lines() | json_lines() | others | done, max_size=8))
    stream = draw(st.sampled_from([b"", b"\xef\xbb\xbf", b"\n"]))
    for block in blocks:
        for line in block:
            stream += line + draw(line_ends)
        stream += draw(line_ends)
    return stream + draw(st.sampled_from([b"", b"data: {", b"data: [DONE]", b": x\r"]))


cuts = st.lists(st.integers(0, 10_000), max_size=12)


@settings(max_examples=200)
@given(streams(), cuts)
def test_how_the_bytes_were_cut_never_changes_anything(stream: bytes, at: list[int]) -> None:
    assert scan(cut(stream, at)) == scan([stream])


@settings(max_examples=200)
@given(streams())
def test_one_byte_at_a_time(stream: bytes) -> None:
    assert scan([stream[i : i + 1] for i in range(len(stream))]) == scan([stream])


@settings(max_examples=300)
@given(streams())
def test_the_facts_are_those_of_a_plain_decoder(stream: bytes) -> None:
    forwarded, found = scan([stream])
    expected, ending, state = plain(stream)
    assert (forwarded, found["ending"], found["done"]) == (expected, ending, bool(ending))
    for name in ("message_id", "model", "inference_provider", "finish_reason", "usage", "has_error"):
        assert found[name] == getattr(state, name), name
    assert found["deltas"] == state.deltas or state.torn


alphabet = st.sampled_from(
    [b"data:", b" ", b"\n", b"\r", b"[DONE]", b"{", b"}", b'"', b"x", b":", b"\\", b"\xef\xbb\xbf"]
)


@settings(max_examples=300)
@given(st.lists(alphabet | st.binary(max_size=3), max_size=40).map(b"".join), cuts, st.integers(1, 30))
@example(b"data: [DONE]\r\n\r\n", [14, 15], 12)
def test_no_bytes_raise_and_limits_do_not_depend_on_cuts(stream: bytes, at: list[int], limit: int) -> None:
    forwarded, found = scan([stream], line_bytes_max=limit)
    assert scan(cut(stream, at), line_bytes_max=limit) == (forwarded, found)
    ending = found["ending"]
    assert isinstance(ending, bytes)
    assert stream.startswith(forwarded + ending)
    assert found["done"] or found["too_long"] or forwarded == stream


words = st.sampled_from([b"a", b"", b'\\"', b"]", b"error", b"usage", b"\\n", b"x\\", b"\n\n", b"\r", b'"', b"\\u0041"])


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from([CHUNK, PADDED]), words, words), max_size=30), st.booleans())
def test_the_learned_frame_changes_no_result(parts: list[tuple[bytes, bytes, bytes]], warm: bool) -> None:
    """Whole chunks take the short way, single bytes the long one."""
    chunks = [CHUNK % b"x"] * (12 if warm else 1)
    chunks += [chunk % ((text, pad) if chunk is PADDED else text) for chunk, text, pad in parts]
    stream = b"".join(chunks)
    assert scan(chunks) == scan([stream]) == scan([stream[i : i + 1] for i in range(len(stream))])


@settings(max_examples=200)
@given(st.lists(st.tuples(st.sampled_from([CHUNK, PADDED, ERROR]), words, words, st.integers(0, 3)), max_size=30))
def test_offered_first_it_finds_the_same(parts: list[tuple[bytes, bytes, bytes, int]]) -> None:
    """Events inside of other bytes, some with a piece too much: what is taken is exactly one more event."""
    scanner, plain_one, taken = StreamScanner(), StreamScanner(), 0
    pieces = [(CHUNK % b"x", 0)] * 12
    texts = {CHUNK: 1, PADDED: 2, ERROR: 0}
    pieces += [(one % (text, pad)[: texts[one]], cut) for one, text, pad, cut in parts]
    for event, cut in pieces:
        piece = event[:-cut] if cut else event
        before = facts(scanner)
        if scanner.takes(b"12\r\n" + piece + b"\r\n", 4, 4 + len(piece)):
            taken += 1
            assert not cut
            shown = piece
        else:
            assert facts(scanner) == before
            shown = scanner.feed(piece)
        assert shown == plain_one.feed(piece)
        assert facts(scanner) == facts(plain_one)
    assert taken


# --- single cases ----------------------------------------------------------------------------------------------------

T1 = b"""data: {"id":"gen-1","provider":"OpenAI","model":"openai/gpt-4.1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hel"},"finish_reason":null}]}

data: {"id":"gen-1","provider":"OpenAI","model":"openai/gpt-4.1","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}]}

data: {"id":"gen-1","provider":"OpenAI","model":"openai/gpt-4.1","choices":[],"usage":{"prompt_tokens":14108,"completion_tokens":79,"total_tokens":14187,"cost":0.008304,"is_byok":false,"prompt_tokens_details":{"cached_tokens":13696}}}

data: [DONE]

"""  # noqa: E501  as an upstream sent it


def test_a_whole_stream() -> None:
    forwarded, found = scan([T1])
    usage = Usage(14108, 79, 13696, cost_usd=Decimal("0.008304"), is_byok=False)
    assert forwarded + DONE == T1
    assert found == {
        "done": True,
        "ending": DONE,
        "message_id": "gen-1",
        "model": "openai/gpt-4.1",
        "inference_provider": "OpenAI",
        "finish_reason": "stop",
        "usage": usage,
        "has_error": False,
        "deltas": 2,
        "body_bytes": len(T1),
        "too_long": False,
        "has_output": True,
    }
    for place in range(len(T1)):
        assert scan([T1[:place], T1[place:]]) == (forwarded, found)


def test_events_are_passed_on_when_complete_and_not_before() -> None:
    scanner = StreamScanner()
    assert scanner.feed(b"data: 1") == b""
    assert not scanner.at_boundary
    assert scanner.feed(b"\n") == b""
    assert scanner.feed(b"\ndata: 2\r\n\r") == b"data: 1\n\ndata: 2\r\n\r"
    assert scanner.at_boundary
    assert scanner.feed(b"\n") == b"\n"
    assert scanner.feed(b": ping\r\rdata") == b": ping\r\r"
    assert scanner.close() == b"data"


def test_nothing_follows_the_end() -> None:
    scanner = StreamScanner()
    assert scanner.feed(CHUNK % b"a" + DONE + CHUNK % b"b") == CHUNK % b"a"
    assert scanner.ending == DONE
    assert scanner.feed(CHUNK % b"c") == b""
    assert scanner.feed(b"data") == b""
    assert scanner.close() == b""
    assert (scanner.done, scanner.deltas, scanner.at_boundary) == (True, 1, True)


def test_nothing_follows_the_end_of_a_learned_stream_either() -> None:
    scanner = StreamScanner()
    for _ in range(20):
        scanner.feed(CHUNK % b"a")
    scanner.feed(DONE)
    assert scanner.feed(CHUNK % b"a") == b""
    assert scanner.deltas == 20


def test_nothing_is_taken_behind_an_error_or_beyond_the_limit() -> None:
    scanner = StreamScanner(line_bytes_max=300)
    for _ in range(20):
        scanner.feed(CHUNK % b"a")
    long = CHUNK % (b"a" * 300)
    assert scanner.takes(CHUNK % b"a", 0, len(CHUNK % b"a"))
    assert not scanner.takes(long, 0, len(long))
    scanner.feed(ERROR)
    assert not scanner.takes(CHUNK % b"a", 0, len(CHUNK % b"a"))


def test_an_event_that_matters_is_never_learned() -> None:
    running = CHUNK.replace(b"null}\n", b'{"prompt_tokens":%d,"completion_tokens":1}}\n')
    chunks = [running % (b"a", 1)] * 20 + [running % (b"a", 2), running % (b"b", 1)]
    assert scan(chunks)[1]["usage"] == Usage(1, 1)
    assert scan([*chunks, running % (b"a", 2)])[1]["usage"] == Usage(2, 1)


def test_the_end_waits_for_the_line_feed_that_may_belong_to_it() -> None:
    scanner = StreamScanner()
    assert scanner.feed(b"data: [DONE]\r\n\r") == b""
    assert not scanner.done
    assert scanner.feed(b"\n") == b""
    assert scanner.ending == b"data: [DONE]\r\n\r\n"


def test_an_end_without_its_blank_line_counts() -> None:
    forwarded, found = scan([CHUNK % b"a", b"data: [DONE]"])
    assert (forwarded, found["done"], found["ending"]) == (CHUNK % b"a", True, b"data: [DONE]")


def test_an_event_that_is_too_long_ends_the_stream() -> None:
    scanner = StreamScanner(line_bytes_max=100)
    assert scanner.feed(b": a\n\ndata: " + b"x" * 200) == b": a\n\n"
    assert scanner.too_long
    assert scanner.feed(b"\n\n: b\n\n") == b""
    assert scanner.close() == b""
    assert scan([b": a\n\n" + b"x" * 101 + b"\n\n"], line_bytes_max=100)[0] == b": a\n\n"
    assert scan([b"x" * 100 + b"\n\n"], line_bytes_max=100)[0] == b"x" * 100 + b"\n\n"


def test_a_learned_frame_respects_the_limit() -> None:
    scanner = StreamScanner(line_bytes_max=300)
    for _ in range(20):
        scanner.feed(CHUNK % b"a")
    assert scanner.feed(CHUNK % (b"a" * 300)) == b""
    assert scanner.too_long


def test_a_dripped_line_costs_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Byte by byte: what is kept may be neither searched nor copied again for each byte."""
    searched: list[int] = []

    class Counting:
        def search(self, data: bytes, begin: int) -> re.Match[bytes] | None:
            searched.append(len(data) - begin)
            return pattern.search(data, begin)

    pattern = scanning._EVENT_END
    monkeypatch.setattr(scanning, "_EVENT_END", Counting())
    line = b"data: " + b"x" * 20_000 + b"\r\n\r\n"
    scanner = StreamScanner()
    kept = scanner._kept
    assert b"".join([scanner.feed(line[i : i + 1]) for i in range(len(line))]) == line
    assert scanner._kept is kept
    assert sum(searched[:-2]) <= 3 * len(line)


def usage_of(*blocks: bytes) -> object:
    return scan([b"".join(blocks)])[1]["usage"]


def test_the_last_usable_usage_wins() -> None:
    bad = b'data: {"usage":{"prompt_tokens":-1,"completion_tokens":1}}\n\n'
    better = b'data: { "usage" : { "prompt_tokens":9,"completion_tokens":4 } }\n\n'
    assert usage_of(USAGE, better, bad, CHUNK % b"a") == Usage(9, 4)
    assert usage_of(CHUNK % b"a" * 20, b'data: {"usage":{"prompt_tokens":1},"x":{"usage":null}}\n\n') == Usage(1, 0)


@pytest.mark.parametrize("value", [b"null", b'""', b"{}", b'{"code":402}', b"false"])
def test_an_error_key_is_an_error_whatever_its_value(value: bytes) -> None:
    found = scan(
        [CHUNK % b"a" * 3, b'data: {"id":"c","error":' + value + b',"choices":[{"delta":{"content":"x"}}]}\n\n']
    )[1]
    # A null error is what some upstreams write into every event, so what comes with it is still output.
    assert (found["has_error"], found["deltas"]) == (True, 4 if value == b"null" else 3)


@pytest.mark.parametrize(
    ("delta", "counts"),
    [
        (b'"content":"a"', 1),
        (b'"content": "a"', 1),
        (b'"content":""', 0),
        (b'"content":null', 0),
        (b'"role":"assistant"', 0),
        (b'"content":"","reasoning":"a","reasoning_details":[{"text":"a"}]', 1),
        (b'"reasoning_content":"a"', 1),
        (b'"refusal":"no"', 1),
        (b'"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":""}}]', 1),
        (b'"tool_calls":[{"index":0,"function":{"arguments":"{\\""}}]', 1),
        (b'"tool_calls":[ ]', 0),
        (b'"function_call":{"name":"f"}', 1),
        (b'"function_call":{}', 0),
        (b'"audio":{"id":"a","data":"UklG"}', 1),
        (b'"audio":{"id":"a"}', 0),
        (b'"images":[{"type":"image_url"}]', 1),
        (b'"content"' + b" " * 80 + b':"a"', 1),
        (b'"content":[{"type":"text","text":"a"}]', 1),
    ],
)
def test_output_is_a_piece_that_is_not_empty(delta: bytes, counts: int) -> None:
    event = b'data: {"id":"c","model":"m","choices":[{"delta":{' + delta + b"}}]}\n\n"
    for times in (1, 40):
        found = scan([event] * times)[1]
        assert (found["deltas"], found["has_output"]) == (counts * times, counts > 0)


def test_names_are_looked_for_until_known_but_not_for_ever() -> None:
    empty = b'data: {"id":"","model":"","prompt_filter_results":[]}\n\n'
    assert scan([empty, CHUNK % b"a"])[1]["model"] == "m"
    assert scan([b'data: {"choices":[]}\n\n' * 16, CHUNK % b"a"])[1]["model"] is None
    assert scan([b"data: {oops}\n\n" * 99, CHUNK % b"a"])[1]["model"] == "m"
    assert scan([b'data: {"id":"' + b"x" * 999 + b'"}\n\n'])[1]["message_id"] == "x" * LABEL_CHARS_MAX


def test_a_byte_order_mark_is_only_at_the_start() -> None:
    assert usage_of(b"\xef\xbb\xbf", USAGE) is not None
    assert usage_of(b"\n", b"\xef\xbb\xbf", USAGE) is None
    assert usage_of(USAGE.replace(b":7,", b":8,"), b"\xef\xbb\xbf", USAGE) == Usage(8, 3, cost_usd=Decimal("0.25"))


def test_data_may_span_lines_even_between_a_key_and_its_value() -> None:
    event = b'data: {"usage":\r\ndata: {"prompt_tokens":5,\r\ndata:"completion_tokens":0}}\r\n\r\n'
    assert usage_of(event) == usage_of(CHUNK % b"a" * 20, event) == Usage(5, 0)


def test_the_gateway_behind_a_provider_is_found() -> None:
    routing = b'{"provider_metadata":{"gateway":{"routing":{"finalProvider":"bedrock"}}}}'
    event = b'data: {"id":"g","model":"m","choices":[{"delta":' + routing + b',"finish_reason":"length"}]}\n\n'
    found = scan([event])[1]
    assert (found["inference_provider"], found["finish_reason"]) == ("bedrock", "length")


def test_the_last_one_who_served_it_counts() -> None:
    """Wherever it is named, and however little else the event says."""

    def event(provider: str) -> bytes:
        return b'data: {"id":"g","model":"m",%b"choices":[{"delta":{"content":"a"}}]}\n\n' % provider.encode()

    def served_by(*events: bytes) -> object:
        return scan(list(events))[1]["inference_provider"]

    metadata = '"choices":[{"delta":{"provider_metadata":{"gateway":{"routing":{"finalProvider":"bedrock"}}}}}],'
    first, second, nobody, nothing = (
        event(text) for text in ('"provider":"A",', '"provider": " B ",', "", '"provider":null,')
    )
    assert served_by(*[first] * 20) == "A"
    assert served_by(*[first] * 20, second, *[nobody] * 20, nothing) == "B"
    assert served_by(*[nobody] * 20, first, *[nobody] * 20) == "A"
    assert served_by(*[first] * 20, *[second] * 20, *[first] * 20) == "A"
    late = b'data: {"id":"g","model":"m",%b}\n\n' % metadata.rstrip(",").encode()
    assert served_by(*[nobody] * 20, late, *[nobody] * 20) == "bedrock"
    usage = USAGE.replace(b'{"choices"', b'{"provider":"C","choices"')
    assert served_by(*[first] * 20, usage, first) == "A"


def test_an_event_without_padding_is_no_model_for_padded_ones() -> None:
    events = [PADDED % (b"a", b"")] * 20 + [PADDED % (b"a", b"x")] * 20
    assert scan(events)[1]["deltas"] == 40


def test_padding_is_learned_too() -> None:
    events = [PADDED % (b"a", b"xyz"[: i % 4]) for i in range(40)]
    scanner = StreamScanner()
    assert [scanner.feed(event) for event in events] == events
    assert scanner.deltas == 40
