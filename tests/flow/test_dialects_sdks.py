"""The official SDKs against custom LLMs that speak another dialect than they do: a round trip with a tool, thought
included, through the running gateway, at vendors that refuse whatever is not as it should be."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

from flow.accounts import Accounts
from flow.llms import MemberAccount, give_llm, member_of_new_organization
from flow.programs import Gateway
from flow.usage_rows import usage_of
from flow.vendors import CITY, SAID, SIGNATURE, THOUGHT, MessagesVendor, ResponsesVendor, Vendor, running
from tollway.admin.llm_records import LlmFields

ASKED = "What is the weather in Oslo?"
RESULT = "rain, 12 °C"
FINAL = f"It is {RESULT}."
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT_TOOLS: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
RESPONSES_TOOLS: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]
MESSAGES_TOOLS: Any = [{"name": "weather", "input_schema": SCHEMA}]

streamed_or_not = pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])


class Customer:
    """A member of an organization that was given `public_id`."""

    def __init__(self, gateway: Gateway, vendor: Vendor, name: str) -> None:
        self.gateway, self.vendor = gateway, vendor
        self.accounts = Accounts(gateway.config)
        self.member: MemberAccount = member_of_new_organization(self.accounts)
        self.public_id = f"acme/{name}-{self.member.user_id[:8]}"
        self._headers = {"X-KiloCode-OrganizationId": self.member.organization_id}
        is_anthropic = isinstance(vendor, MessagesVendor)
        fields = LlmFields(
            name,
            "anthropic" if is_anthropic else "openai",
            vendor.url,
            "claude-sonnet-4-5" if is_anthropic else "gpt-5.2",
        )
        give_llm(self.accounts, gateway.config, self.member.organization_id, self.public_id, fields)

    def openai(self) -> OpenAI:
        url = f"{self.gateway.url}/v1"
        return OpenAI(base_url=url, api_key=self.member.key, max_retries=0, timeout=30, default_headers=self._headers)

    def anthropic(self, **how: Any) -> Anthropic:
        how = how or {"api_key": self.member.key}
        return Anthropic(base_url=self.gateway.url, max_retries=0, timeout=30, default_headers=self._headers, **how)

    def check(self) -> None:
        """Two requests went through, and both are in the books at no cost."""
        assert self.vendor.wrong == []
        rows = usage_of(self.accounts, self.member)
        assert [(row.basis, row.cost, row.completion_tokens) for row in rows] == [("free", 0, 7)] * 2
        assert self.accounts.differences() == ()


@pytest.fixture
def messages(gateway: Gateway) -> Iterator[Customer]:
    """With a model that speaks Anthropic Messages."""
    with running(MessagesVendor()) as vendor:
        yield Customer(gateway, vendor, "claude")


@pytest.fixture
def responses(gateway: Gateway) -> Iterator[Customer]:
    """With a model that speaks OpenAI Responses, and wants its reasoning back."""
    with running(ResponsesVendor(demands_reasoning=True)) as vendor:
        yield Customer(gateway, vendor, "gpt")


@pytest.fixture
def forgetful(gateway: Gateway) -> Iterator[Customer]:
    """The same, asked by clients that cannot keep its reasoning."""
    with running(ResponsesVendor(demands_reasoning=False)) as vendor:
        yield Customer(gateway, vendor, "gpt")


# OpenAI's SDK, Chat Completions


@streamed_or_not
@pytest.mark.parametrize("kind", ["messages", "responses"])
def test_the_openai_sdk_chats(request: pytest.FixtureRequest, kind: str, streamed: bool) -> None:
    customer: Customer = request.getfixturevalue(kind)
    history: list[Any] = [{"role": "user", "content": ASKED}]
    with customer.openai() as client:
        said = _chat(client, customer.public_id, history, streamed)
        assert (said["content"], said["reasoning"]) == (SAID, THOUGHT)
        (call,) = said["tool_calls"]
        assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == ("weather", {"city": CITY})
        history += [said, {"role": "tool", "tool_call_id": call["id"], "content": RESULT}]
        assert _chat(client, customer.public_id, history, streamed)["content"] == FINAL
    customer.check()


def _chat(client: OpenAI, model: str, history: list[Any], streamed: bool) -> dict[str, Any]:
    """The assistant's message."""
    if not streamed:
        answer = client.chat.completions.create(model=model, messages=history, tools=CHAT_TOOLS, max_tokens=100)
        assert answer.usage
        assert answer.usage.completion_tokens == 7
        return answer.choices[0].message.model_dump(exclude_none=True)
    message: dict[str, Any] = {"role": "assistant", "content": "", "reasoning": ""}
    details: dict[int, dict[str, Any]] = {}
    calls: dict[int, dict[str, Any]] = {}
    reason = None
    stream = client.chat.completions.create(
        model=model, messages=history, tools=CHAT_TOOLS, max_tokens=100, stream=True
    )
    for chunk in stream:
        choice = chunk.choices[0]
        reason = choice.finish_reason or reason
        delta = choice.delta.model_dump(exclude_none=True)
        message["content"] += delta.get("content", "")
        message["reasoning"] += delta.get("reasoning", "")
        for detail in delta.get("reasoning_details", ()):
            known = details.setdefault(detail["index"], {})
            known.update({**detail, "text": known.get("text", "") + detail.get("text", "")})
        for call in delta.get("tool_calls", ()):
            known = calls.setdefault(call["index"], {"id": call.get("id"), "type": "function", "function": {}})
            told, function = call["function"], known["function"]
            function["name"] = function.get("name", told.get("name"))
            function["arguments"] = function.get("arguments", "") + told.get("arguments", "")
    assert reason == ("tool_calls" if calls else "stop")
    return {**message, "reasoning_details": [*details.values()], **({"tool_calls": [*calls.values()]} if calls else {})}


# OpenAI's SDK, Responses


@streamed_or_not
@pytest.mark.parametrize("kind", ["messages", "responses"])
def test_the_openai_sdk_responds(request: pytest.FixtureRequest, kind: str, streamed: bool) -> None:
    customer: Customer = request.getfixturevalue(kind)
    history: list[Any] = [{"role": "user", "content": ASKED}]
    with customer.openai() as client:
        answer = _respond(client, customer.public_id, history, streamed)
        assert answer.output_text == SAID
        assert [item.type for item in answer.output] == ["reasoning", "message", "function_call"]
        assert answer.output[0].type == "reasoning"
        assert answer.output[0].summary[0].text == THOUGHT
        call = answer.output[2]
        assert call.type == "function_call"
        assert json.loads(call.arguments) == {"city": CITY}
        history += [item.model_dump(exclude_none=True) for item in answer.output]
        history.append({"type": "function_call_output", "call_id": call.call_id, "output": RESULT})
        final = _respond(client, customer.public_id, history, streamed)
        assert (final.output_text, final.status) == (FINAL, "completed")
        assert final.id != answer.id
        assert final.usage
        assert final.usage.total_tokens == 18
    customer.check()


def _respond(client: OpenAI, model: str, history: list[Any], streamed: bool) -> Any:
    how: Any = {"model": model, "input": history, "tools": RESPONSES_TOOLS, "store": False, "max_output_tokens": 100}
    if not streamed:
        return client.responses.create(**how)
    with client.responses.stream(**how) as stream:
        kinds = [event.type for event in stream]
        assert kinds[0] == "response.created"
        assert "response.output_text.delta" in kinds
        return stream.get_final_response()


# Anthropic's SDK


@streamed_or_not
@pytest.mark.parametrize("kind", ["messages", "forgetful"])
@pytest.mark.parametrize("credential", ["api_key", "auth_token"])
def test_the_anthropic_sdk(request: pytest.FixtureRequest, kind: str, streamed: bool, credential: str) -> None:
    customer: Customer = request.getfixturevalue(kind)
    history: list[Any] = [{"role": "user", "content": ASKED}]
    with customer.anthropic(**{credential: customer.member.key}) as client:
        said = _message(client, customer.public_id, history, streamed)
        assert (said.stop_reason, said.model) == ("tool_use", customer.public_id)
        thought, text, call = said.content
        assert (thought.thinking, text.text) == (THOUGHT, SAID)
        assert thought.signature == (SIGNATURE if kind == "messages" else "")
        assert (call.name, call.input) == ("weather", {"city": CITY})
        history += [
            {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in said.content]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": RESULT}]},
        ]
        final = _message(client, customer.public_id, history, streamed)
        assert (final.stop_reason, final.content[0].text) == ("end_turn", FINAL)
        assert (final.usage.input_tokens, final.usage.output_tokens) == (11, 7)
    customer.check()


def _message(client: Anthropic, model: str, history: list[Any], streamed: bool) -> Any:
    how: Any = {
        "model": model,
        "max_tokens": 2_000,
        "messages": history,
        "tools": MESSAGES_TOOLS,
        "thinking": {"type": "enabled", "budget_tokens": 1_024},
    }
    if not streamed:
        return client.messages.create(**how)
    with client.messages.stream(**how) as stream:
        kinds = [event.type for event in stream]
        assert kinds[0] == "message_start"
        assert kinds[-1] == "message_stop"
        return stream.get_final_message()


# What goes wrong is told in the client's words


@streamed_or_not
def test_a_vendors_refusal_is_told_to_each_sdk(messages: Customer, streamed: bool) -> None:
    """The history does not begin with a user, which this vendor refuses."""
    history: list[Any] = [{"role": "assistant", "content": "hm"}]
    model, chat = messages.public_id, [*history, {"role": "assistant", "content": "hm"}]
    with messages.openai() as client:
        with pytest.raises(openai.BadRequestError, match="roles take turns"):
            client.chat.completions.create(model=model, messages=chat, tools=CHAT_TOOLS, stream=streamed)  # type: ignore[call-overload]
        with pytest.raises(openai.BadRequestError, match="roles take turns"):
            client.responses.create(model=model, input=history, tools=RESPONSES_TOOLS, stream=streamed)
    with messages.anthropic() as client_, pytest.raises(anthropic.BadRequestError, match="roles take turns"):
        client_.messages.create(model=model, messages=history, tools=MESSAGES_TOOLS, max_tokens=9, stream=streamed)
