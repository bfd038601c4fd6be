"""The transcripts of response-path §16.4, and what the program makes of them."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from msgspec.structs import replace
from structlog.testing import capture_logs

from tollway.billing.ledger import Outcome
from tollway.billing.particulars import NO_PARTICULARS
from tollway.gateway.closers import settle_funds
from tollway.gateway.facts import facts_of_answer, facts_of_stream
from tollway.gateway.reply import Reply
from tollway.money import Microdollars
from tollway.routing.plan import Candidate, Plan
from tollway.wire.answer import Answer, read_answer
from tollway.wire.chat import parse_chat
from tollway.wire.scan import StreamScanner
from unit.gateway.fakes import CALLER, HOLD, FakeClient, FakeFunds, body_of, candidate, exchange, model, services

T1: Final = (
    b'data: {"id":"gen-1","provider":"OpenAI","model":"openai/gpt-4.1","choices":[{"index":0,"delta":{"role":'
    b'"assistant","content":"Hel"},"finish_reason":null}]}\n\n'
    b'data: {"id":"gen-1","provider":"OpenAI","model":"openai/gpt-4.1","choices":[{"index":0,"delta":{"content":"lo"},'
    b'"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"gen-1","provider":"OpenAI","model":"openai/gpt-4.1","choices":[],"usage":{"prompt_tokens":14108,'
    b'"completion_tokens":79,"total_tokens":14187,"cost":0.008304,"is_byok":false,"prompt_tokens_details":'
    b'{"cached_tokens":13696}}}\n\n'
    b"data: [DONE]\n\n"
)
T2: Final = b': OPENROUTER PROCESSING\n\ndata: {"error":{"message":"out of credits","code":402},"user_id":"org_x"}\n\n'
T3: Final = (
    b'data: {"id":"g","model":"m","choices":[{"delta":{"content":"a"}}]}\n\n'
    b"data: {oops\n\n"
    b'data: {"usage":{"prompt_tokens":3,"completion_tokens":1,"cost":0.0000005,"is_byok":false},"choices":[]}\n\n'
)
T4: Final = (
    b'data: {"id":"g","model":"m","choices":[{"delta":{"provider_metadata":{"gateway":{"routing":{"finalProvider":'
    b'"bedrock"}}}},"finish_reason":"length"}]}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"cost":0.0018,"is_byok":true,"cost_details":'
    b'{"upstream_inference_cost":0.036}}}\n\n'
)
T5: Final = (
    b'data: {"id":"g","model":"m","choices":[],\r\n'
    b'data: "usage":{"prompt_tokens":5,"completion_tokens":0,"cost":0.00012}}\r\n\r\n'
)
T6: Final = (
    b'data: {"id":"g","model":"m","choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":1,'
    b'"completion_tokens":1,"cost":0.1}}\n\n'
    b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"cost":0.000123}}'
)
J1: Final = (
    b'{"id":"gen-2","model":"anthropic/claude-sonnet-4.5","provider":"Google","choices":[{"index":0,"message":'
    b'{"role":"assistant","content":"Hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":3,'
    b'"cost":0.000105,"is_byok":false,"prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":12}}}'
)
AFTER_TWO: Final = T1.index(b'data: {"id":"gen-1","provider":"OpenAI","model":"openai/gpt-4.1","choices":[],')

_DEAR: Final = Microdollars(1_000_000)


@dataclass(frozen=True)
class Told:
    """What came of an answer: the outcome, the text that was passed on, and the warnings."""

    outcome: Outcome
    passed: bytes
    warnings: list[str]

    @property
    def text(self) -> str:
        """By a reading of its own, which knows nothing of the scanner's."""
        text = ""
        for event in self.passed.replace(b"\r\n", b"\n").split(b"\n\n"):
            data = b"\n".join(line[5:].lstrip() for line in event.split(b"\n") if line.startswith(b"data:"))
            try:
                for choice in json.loads(data)["choices"]:
                    text += choice["delta"].get("content", "")
            except (ValueError, KeyError):
                continue
        return text

    @property
    def row(self) -> dict[str, Any]:
        outcome, record, usage = self.outcome, self.outcome.record, self.outcome.usage
        return {
            "message_id": record.message_id,
            "model": record.model,
            "provider": record.inference_provider,
            "finish": record.finish_reason,
            "tokens": (usage.prompt_tokens, usage.completion_tokens),
            "hit": usage.cached_tokens,
            "write": usage.cache_write_tokens,
            "cost": outcome.charge,
            "market_cost": outcome.market_cost,
            "is_byok": usage.is_byok,
            "has_error": record.has_error,
            "streamed": record.streamed,
            "status": record.status_code,
            "text": self.text,
        }


def stream(pieces: Iterable[bytes], status: int = 200, gone: bool = False) -> Told:
    """A streamed answer that ended by itself, or (`gone`) whose client went away and nobody waited for the rest."""
    scanner = StreamScanner()
    passed = b"".join(scanner.feed(piece) for piece in pieces)
    passed += scanner.close() + scanner.ending
    return _settle(facts_of_stream(scanner), status, passed, streamed=True, gone=gone)


def whole(body: bytes, status: int = 200, streamed: bool = False) -> Told:
    """`streamed`: a stream had been asked for."""
    return _settle(facts_of_answer(read_answer(body), status), status, body, streamed, gone=False)


def _settle(facts: Answer, status: int, passed: bytes, streamed: bool, gone: bool) -> Told:
    client = FakeClient()
    client.gone = gone
    one = exchange(client=client)
    one.request = parse_chat(body_of(stream=True) if streamed else body_of())
    one.caller, one.model, one.particulars = CALLER, model(), NO_PARTICULARS
    served_by = candidate("openrouter", reports_cost=True)
    dear = Candidate(served_by.upstream, served_by.offer, _DEAR)
    one.plan = Plan((dear,), 100_000, 10_000)
    one.hold = replace(HOLD, worst_case=_DEAR, amounts=(_DEAR,))
    one.reply = Reply(dear, status, facts, streamed=streamed, abandoned=gone)
    funds = FakeFunds()
    with capture_logs() as lines:
        waiting = settle_funds.run(one, services(funds=funds))
        if waiting is not None:
            asyncio.run(_wait(waiting))
    return Told(funds.closed[0], passed, [line["event"] for line in lines if line["log_level"] == "warning"])


async def _wait(waiting: Any) -> None:
    await waiting
