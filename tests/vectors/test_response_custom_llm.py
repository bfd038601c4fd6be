"""Vectors of response-path §16.8 that need a gateway: errors, retries and the row of a custom LLM."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from flow.accounts import Accounts
from flow.conversation import Answer, ask
from flow.llms import MemberAccount, give_llm, member_of_new_organization
from flow.programs import Gateway
from flow.scale import scaled
from tollway.admin.llm_records import LlmFields
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database
from tollway.storage.sql.tables import usage, usage_metadata
from tollway.wire.dialects.details import OBSCURED, OPENAI
from vectors.conftest import settings_for_scripts
from vectors.scripted import LAST_CHUNK, RESET, STREAM_HEAD, ScriptedUpstream, chunk, stream, whole
from vectors.test_response_custom_llm_anthropic import C1, C3_EVENTS, PUBLIC_ID, V104, stream_of
from vectors.test_response_custom_llm_responses import C4_EVENTS, V105
from vectors.world import PATH

ERROR = b'{"type":"error","error":{"type":"rate_limit_error","message":"Slow down."}}'
MESSAGES = [{"role": "user", "content": "hi"}]
VENDORS = {"anthropic": "kilo-internal/v-anthropic", "openai": "kilo-internal/v-openai"}


GPT_ID = "kilo-internal/acme-gpt"
OBSCURED_V105 = V105.replace(f'"{OPENAI}"', f'"{OBSCURED}"').encode()


@dataclass(frozen=True)
class Talking(MemberAccount):
    """Whose client has that user agent; "" for none."""

    agent: str = ""

    @property
    def headers(self) -> dict[str, str]:
        more = {"User-Agent": self.agent} if self.agent else {}
        return {**super().headers, **more}


class Llms:
    """A gateway whose custom LLMs are at a scripted upstream."""

    def __init__(self, gateway: Gateway, upstream: ScriptedUpstream) -> None:
        self.gateway, self.upstream = gateway, upstream
        self.accounts = Accounts(gateway.config)
        self.member: MemberAccount = member_of_new_organization(self.accounts)
        self._give(PUBLIC_ID, "anthropic", "claude-sonnet-4-5")
        self._give(GPT_ID, "openai", "gpt-5.2")
        self._give(VENDORS["anthropic"], "anthropic", "claude-x")
        self._give(VENDORS["openai"], "openai", "gpt-5.2")

    def _give(self, public_id: str, vendor: str, internal_id: str) -> None:
        fields = LlmFields(public_id, vendor, f"{self.upstream.url}/v1", internal_id)
        give_llm(self.accounts, self.gateway.config, self.member.organization_id, public_id, fields)

    def ask(self, model: str, is_stream: bool, *pieces: bytes | None) -> Answer:
        self.upstream.say(*pieces)
        body = {"model": model, "messages": MESSAGES, "stream": is_stream}
        return ask(self.gateway, self.member, body, PATH)

    def row(self, answer: Answer) -> Any:
        rows = (
            select(usage, usage_metadata.c.status_code, usage_metadata.c.is_byok, usage_metadata.c.attempts)
            .join(usage_metadata, usage_metadata.c.id == usage.c.id)
            .where(usage.c.id == answer.request_id)
        )

        async def work(_: SqlAdmin, database: Database) -> Any:
            return await database.read(lambda connection: connection.execute(rows).one())

        return self.accounts.run(work)


@pytest.fixture(scope="module")
def llms(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Llms]:
    """Failures are tried again, without much waiting."""
    folder: Path = tmp_path_factory.mktemp("llms")
    upstream = ScriptedUpstream()
    top = "retries.backoff_s = 0.01\nretries.budget_min = 1000"
    program = Gateway(folder, settings_for_scripts(folder, upstream.url, top))
    yield Llms(program, upstream)
    assert program.stop() == 0
    upstream.close()


both_vendors = pytest.mark.parametrize("vendor", VENDORS)


@pytest.mark.parametrize("vendor", [pytest.param(one, id=f"response:V125-{one}") for one in VENDORS])
def test_a_vendor_that_keeps_refusing_is_asked_three_times(llms: Llms, vendor: str) -> None:
    asked = llms.upstream.asked
    for _ in range(2):
        llms.upstream.say(whole(429, ERROR))
    answer = llms.ask(VENDORS[vendor], False, whole(429, ERROR))
    assert (answer.status, answer.json) == (429, {"error": {"message": "Slow down.", "code": 429, "type": "error"}})
    assert llms.upstream.asked - asked == 3


@pytest.mark.parametrize("vendor", [pytest.param(one, id=f"response:V126-{one}") for one in VENDORS])
@pytest.mark.parametrize("is_stream", [False, True], ids=["whole", "streamed"])
def test_a_refusal_is_told_in_the_vendors_words(llms: Llms, vendor: str, is_stream: bool) -> None:
    asked = llms.upstream.asked
    refusal = b'{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}'
    answer = llms.ask(VENDORS[vendor], is_stream, whole(401, refusal))
    assert answer.status == 401
    assert answer.json == {"error": {"message": "invalid x-api-key", "code": 401, "type": "error"}}
    assert llms.upstream.asked - asked == 1
    assert llms.row(answer).cost_microdollars == 0


@both_vendors
def test_a_refusal_without_words_is_told_by_its_status(llms: Llms, vendor: str) -> None:
    answer = llms.ask(VENDORS[vendor], False, whole(404, b""))
    assert answer.json == {"error": {"message": "Not Found", "code": 404, "type": "error"}}


@both_vendors
def test_the_operators_empty_account_is_not_the_callers(llms: Llms, vendor: str) -> None:
    answer = llms.ask(VENDORS[vendor], False, whole(402, ERROR))
    assert answer.status == 503
    assert b"Slow down" not in answer.body


@pytest.mark.parametrize("vendor", [pytest.param(one, id=f"response:V127-{one}") for one in VENDORS])
def test_a_stream_that_is_refused_at_once_is_no_stream(llms: Llms, vendor: str) -> None:
    answer = llms.ask(VENDORS[vendor], True, whole(400, b'{"error":{"message":"No such tool."}}'))
    assert answer.status == 400
    assert answer.headers["content-type"] == "application/json"
    assert answer.json == {"error": {"message": "No such tool.", "code": 400, "type": "error"}}


HI: dict[str, list[dict[str, Any]]] = {
    "anthropic": [
        {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    ],
    "openai": [
        {"type": "response.created", "response": {"id": "resp_1"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": "message", "id": "m"}},
        {"type": "response.output_text.delta", "item_id": "m", "output_index": 0, "content_index": 0, "delta": "Hi"},
    ],
}


@pytest.mark.parametrize("vendor", [pytest.param(one, id=f"response:V128-{one}") for one in VENDORS])
@pytest.mark.parametrize("end", [b"", LAST_CHUNK], ids=["cut", "ended"])
def test_a_stream_that_breaks_does_not_look_complete(llms: Llms, vendor: str, end: bytes) -> None:
    asked = llms.upstream.asked
    answer = llms.ask(VENDORS[vendor], True, STREAM_HEAD, chunk(stream_of(HI[vendor])), end)
    assert answer.status == 200
    assert llms.upstream.asked - asked == 1  # some of it is with the client (guarantees U1)
    assert answer.text == "Hi"
    assert len(answer.errors) == 1
    assert not answer.is_done
    row = llms.row(answer)
    assert (row.has_error, row.cost_microdollars) == (True, 0)


@both_vendors
def test_a_stream_that_breaks_looks_complete_in_no_dialect(llms: Llms, vendor: str) -> None:
    """Whatever the client speaks, at a vendor that speaks either."""
    for path, last in (("/v1/messages", "error"), ("/v1/responses", "response.failed")):
        llms.upstream.say(STREAM_HEAD, chunk(stream_of(HI[vendor])))
        body = {"model": VENDORS[vendor], "stream": True, "max_tokens": 9, "messages": MESSAGES, "input": "hi"}
        answer = ask(llms.gateway, llms.member, body, path)
        told = [json.loads(data) for data in answer.data]
        assert answer.whole
        assert told[-1]["type"] == last
        assert b"Hi" in answer.body
        assert not {"message_stop", "response.completed"} & {event["type"] for event in told}


@both_vendors
def test_an_error_that_a_stream_begins_with_is_a_status(llms: Llms, vendor: str) -> None:
    """And of the kind that is tried again (response-path 5.12)."""
    asked = llms.upstream.asked
    failures: dict[str, list[dict[str, Any]]] = {
        "anthropic": [{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}],
        "openai": [
            {"type": "response.created", "response": {"id": "resp_1"}},
            {"type": "error", "code": "server_error", "message": "Overloaded"},
        ],
    }
    failing = stream(stream_of(failures[vendor]))
    llms.upstream.say(*failing)
    llms.upstream.say(*failing)
    answer = llms.ask(VENDORS[vendor], True, *failing)
    status = {"anthropic": 529, "openai": 500}[vendor]
    assert (answer.status, answer.json["error"]) == (
        status,
        {"message": "Overloaded", "code": status, "type": "error"},
    )
    assert llms.upstream.asked - asked == 3


@pytest.mark.parametrize("public_id", [pytest.param(PUBLIC_ID, id="response:V131")])
def test_the_row_of_a_custom_llm(llms: Llms, public_id: str) -> None:
    llms.upstream.say(*stream(stream_of(C3_EVENTS), 100))
    asked = llms.upstream.asked
    answer = ask(llms.gateway, llms.member, {**C1, "model": public_id}, PATH)
    assert answer.body == V104
    row = llms.row(answer)
    assert (row.cost_microdollars, row.provider_id, row.is_byok) == (0, "custom", None)
    assert (row.prompt_tokens, row.completion_tokens) == (35, 42)
    assert (row.cached_tokens, row.cache_write_tokens) == (20, 5)
    assert (row.model, row.upstream_model, row.has_error) == (PUBLIC_ID, "claude-sonnet-4-5", False)
    assert llms.upstream.asked - asked == 1  # nothing is looked up
    assert llms.accounts.differences() == ()


def test_nobody_else_has_it(llms: Llms) -> None:
    """An organization that it was not given to, and its own members acting for themselves."""
    others = member_of_new_organization(llms.accounts)
    body = {"model": PUBLIC_ID, "messages": MESSAGES}
    assert ask(llms.gateway, others, body, PATH).status == 404
    alone = MemberAccount(llms.member.user_id, llms.member.email, llms.member.key, llms.member.key_id)
    assert ask(llms.gateway, alone, body, PATH).status == 404


def test_what_its_dialect_has_no_word_for_is_refused_before_it_is_asked(llms: Llms) -> None:
    asked = llms.upstream.asked
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "not a url"}}]}]
    answer = ask(llms.gateway, llms.member, {"model": PUBLIC_ID, "messages": image}, PATH)
    assert answer.status == 400
    assert answer.json == {"error": {"message": "Unsupported content part: image_url", "code": 400, "type": "error"}}
    assert llms.upstream.asked == asked


# Streams of vendors, cut anywhere: what their functions give must be what a client sees.

NO_ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "anthropic": [
        *HI["anthropic"][:1],
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {}},
        },
        {"type": "content_block_stop", "index": 0},
    ],
    "openai": [
        *HI["openai"][:1],
        *(
            {
                "type": f"response.output_item.{what}",
                "output_index": 0,
                "item": {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "ls", "arguments": ""},
            }
            for what in ("added", "done")
        ),
    ],
}
REDACTED = {"type": "content_block_start", "index": 0, "content_block": {"type": "redacted_thinking", "data": "D"}}
BYTES = (1, 7, 64, 10_000)


def _stopped(reason: str) -> list[dict[str, Any]]:
    delta = {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 1}}
    return [*HI["anthropic"], {"type": "content_block_stop", "index": 0}, delta, {"type": "message_stop"}]


def _incomplete(reason: str) -> list[dict[str, Any]]:
    response = {"id": "resp_1", "incomplete_details": {"reason": reason}}
    return [*HI["openai"], {"type": "response.incomplete", "response": response}]


WHOLE = {"anthropic": _stopped("end_turn"), "openai": _incomplete("max_output_tokens")}


@pytest.mark.parametrize("size", BYTES)
@pytest.mark.parametrize(
    ("model", "agent", "told", "written"),
    [
        pytest.param(PUBLIC_ID, "", C3_EVENTS, V104, id="response:V104-program"),
        pytest.param(GPT_ID, "", C4_EVENTS, V105.encode(), id="response:V105-program"),
        pytest.param(GPT_ID, "Kilo-Code/5.1", C4_EVENTS, OBSCURED_V105, id="response:V106-program"),
    ],
)
def test_whole_streams(
    llms: Llms, model: str, agent: str, told: list[dict[str, Any]], written: bytes, size: int
) -> None:
    llms.upstream.say(*stream(stream_of(told), size))
    body = {"model": model, "messages": MESSAGES, "stream": True}
    answer = ask(llms.gateway, Talking(**asdict(llms.member), agent=agent), body, PATH)
    assert answer.body == written
    row = llms.row(answer)
    assert (row.has_error, row.cost_microdollars) == (False, 0)
    assert (row.prompt_tokens, row.completion_tokens) == ((35, 42) if model == PUBLIC_ID else (100, 30))


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(
    ("model", "told", "written"),
    [
        pytest.param(PUBLIC_ID, C3_EVENTS, V104, id="response:V104-at-every-byte"),
        pytest.param(GPT_ID, C4_EVENTS, V105.encode(), id="response:V105-at-every-byte"),
    ],
)
def test_one_cut_anywhere(llms: Llms, model: str, told: list[dict[str, Any]], written: bytes, line_end: bytes) -> None:
    """Guarantees S; the suite takes every 17th place, the campaign all of them."""
    body = stream_of(told).replace(b"\n", line_end)
    for at in range(1, len(body), scaled(17, 1)):
        answer = llms.ask(model, True, STREAM_HEAD, chunk(body[:at]), chunk(body[at:]), LAST_CHUNK)
        assert (at, answer.body) == (at, written)
    row = llms.row(answer)
    assert (row.prompt_tokens, row.completion_tokens) == ((35, 42) if model == PUBLIC_ID else (100, 30))


NONSENSE = (
    b"data: this is not JSON\n\n",
    b"data: [1, 2\n\n",
    b"\x00\xff\xfe\x80\xc3\x28 no field name\n\n",
    b"data: \xf0\x28\x8c\x28\xed\xa0\x80\n\n",
    b'event: \xe2\x80\xa8\nid: \x00\nretry: soon\ndata:\n\n: a comment\n\ndata: {"type":"tomorrow"}\n\n',
)


@both_vendors
def test_nonsense_among_the_events_changes_nothing(llms: Llms, vendor: str) -> None:
    """Guarantees S3."""
    events = [stream_of([event]) for event in WHOLE[vendor]]
    body = b"".join(noise + event for noise, event in zip(NONSENSE * len(events), events, strict=False))
    quiet = llms.ask(VENDORS[vendor], True, *stream(b"".join(events)))
    answer = llms.ask(VENDORS[vendor], True, *stream(body, 7))
    assert quiet.is_done
    assert answer.body == quiet.body
    assert llms.row(answer).has_error is False


@both_vendors
@pytest.mark.parametrize(
    "end",
    [
        (b"not-a-size\r\nlost\r\n",),
        (chunk(b"data: " + b"x" * 2_000_000), LAST_CHUNK),
        (chunk(b"event: ping\ndata: {}"), RESET),
        (b"%x\r\ntoo short" % 1_000,),
    ],
    ids=["bad chunking", "a line too long", "reset inside an event", "cut inside a chunk"],
)
def test_however_a_vendor_breaks_off_it_is_told_once(llms: Llms, vendor: str, end: tuple[bytes | None, ...]) -> None:
    """Guarantees S3, S4, U1."""
    asked = llms.upstream.asked
    answer = llms.ask(VENDORS[vendor], True, STREAM_HEAD, chunk(stream_of(HI[vendor])), *end)
    assert (answer.status, answer.text, answer.is_done, answer.whole) == (200, "Hi", False, True)
    assert [json.loads(data)["choices"][0]["finish_reason"] for data in answer.data[-1:]] == ["error"]
    assert len(answer.errors) == 1
    assert llms.upstream.asked - asked == 1
    assert llms.row(answer).has_error


@both_vendors
def test_what_follows_a_vendors_end_reaches_nobody(llms: Llms, vendor: str) -> None:
    """Guarantees S3: not the stream's client, and not the next one on that connection."""
    ended = stream_of(WHOLE[vendor])
    stray = whole(200, b'{"stray":true}')
    for extra in (chunk(ended), chunk(stream_of(HI[vendor])) + LAST_CHUNK + stray, LAST_CHUNK + stray):
        answer = llms.ask(VENDORS[vendor], True, STREAM_HEAD.replace(b"close", b"keep-alive"), chunk(ended), extra)
        assert (answer.text, answer.is_done, answer.body.count(b"[DONE]")) == ("Hi", True, 1)
        assert b"stray" not in answer.body


@pytest.mark.parametrize("size", BYTES)
@pytest.mark.parametrize(
    ("vendor", "told", "reason"),
    [
        pytest.param(
            "anthropic", _stopped("model_context_window_exceeded"), "length", id="response:V121-window-program"
        ),
        pytest.param("anthropic", _stopped("pause_turn"), "stop", id="response:V121-pause-program"),
        pytest.param("anthropic", _stopped("refusal"), "content_filter", id="response:V121-refusal-program"),
        pytest.param("openai", _incomplete("max_output_tokens"), "length", id="response:V122-program"),
    ],
)
def test_why_a_stream_ended(llms: Llms, vendor: str, told: list[dict[str, Any]], reason: str, size: int) -> None:
    answer = llms.ask(VENDORS[vendor], True, *stream(stream_of(told), size))
    assert (answer.text, answer.is_done, answer.errors) == ("Hi", True, [])
    ends = [choice.get("finish_reason") for choice in _choices(answer)]
    assert [end for end in ends if end] == [reason]


@pytest.mark.parametrize("size", BYTES)
@pytest.mark.parametrize("vendor", [pytest.param(one, id=f"response:V129-{one}-program") for one in VENDORS])
def test_a_tool_call_without_arguments(llms: Llms, vendor: str, size: int) -> None:
    answer = llms.ask(VENDORS[vendor], True, *stream(stream_of(NO_ARGUMENTS[vendor]), size))
    calls = [call for choice in _choices(answer) for call in choice["delta"].get("tool_calls", ())]
    assert [call["function"].get("arguments", "") for call in calls] == ["", "{}"]


@pytest.mark.parametrize("size", [pytest.param(size, id=f"response:V116-program-{size}") for size in BYTES])
def test_redacted_thinking(llms: Llms, size: int) -> None:
    told = [HI["anthropic"][0], REDACTED, {"type": "content_block_stop", "index": 0}, *_stopped("end_turn")[1:]]
    answer = llms.ask(VENDORS["anthropic"], True, *stream(stream_of(told), size))
    detail = {"type": "reasoning.encrypted", "data": "D", "index": 0, "format": "anthropic-claude-v1"}
    assert _choices(answer)[0]["delta"] == {"reasoning_details": [detail]}


def _choices(answer: Answer) -> list[dict[str, Any]]:
    return [choice for data in answer.data if data != b"[DONE]" for choice in json.loads(data).get("choices", ())]
