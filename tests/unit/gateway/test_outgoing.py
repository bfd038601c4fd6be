import asyncio
from functools import partial

from tollway.errors import Code, Problem
from tollway.gateway.exchange import Exchange
from tollway.gateway.outgoing import Outgoing, outgoing
from tollway.gateway.relay import Relay
from tollway.gateway.rewriting_relay import TranslatingRelay
from tollway.providers.provider import MESSAGES, RESPONSES
from tollway.routing.plan import Candidate
from tollway.routing.precedence import OwnRoute, Rule
from tollway.wire.chat import parse_chat
from tollway.wire.dialects.parameters import ModelOptions
from unit.gateway.fakes import CALLER, body_of, candidate, exchange, model, services, settled, upstream


def ready(body: bytes | None = None) -> Exchange:
    one = exchange(body)
    one.request = parse_chat(one.inbound.body)
    one.prepared, one.caller, one.model = one.request.body, CALLER, model()
    one.context = services().contexts.read({}, one.inbound.path)
    return one


def sent(one: Exchange, to: Candidate) -> Outgoing | Problem:
    async def work() -> Outgoing | Problem:
        found: Outgoing | Problem = await settled(outgoing(one, services(), to))
        return found

    return asyncio.run(work())


def custom_llm(one: Exchange) -> Exchange:
    one.own = OwnRoute(Rule.CUSTOM_LLM, False, True, model(), upstream(), options=ModelOptions("in/llm", "x"))
    return one


def test_chat_goes_as_it_is_and_its_answer_comes_as_it_is() -> None:
    found = sent(ready(), candidate())
    assert isinstance(found, Outgoing)
    assert found.relay is Relay
    assert (found.body["model"], found.headers) == ("vendor/name", None)


def test_what_goes_elsewhere_is_translated_and_so_is_its_answer() -> None:
    for dialect, member in ((MESSAGES, "thinking"), (RESPONSES, "input")):
        found = sent(custom_llm(ready()), candidate(dialect=dialect))
        assert isinstance(found, Outgoing)
        assert member in found.body
        assert isinstance(found.relay, partial)
        assert found.relay.func is TranslatingRelay


def test_the_user_is_known_there_by_a_hash() -> None:
    found = sent(custom_llm(ready(body_of(user="me", safety_identifier="me"))), candidate(dialect=RESPONSES))
    assert isinstance(found, Outgoing)
    assert found.body["user"] == found.body["safety_identifier"] != "me"


def test_what_cannot_be_said_there_is_a_refusal() -> None:
    found = sent(custom_llm(ready(body_of(messages=[{"role": "chorus", "content": "x"}]))), candidate(dialect=MESSAGES))
    assert isinstance(found, Problem)
    assert (found.code, found.http_status, found.shown) == (
        Code.UNSUPPORTED_CONTENT,
        400,
        "Unsupported message role: chorus",
    )
