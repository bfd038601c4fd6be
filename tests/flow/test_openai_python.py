"""The official Python client against the running gateway: what it sends is served, what goes wrong it can tell."""

import asyncio
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion

from flow.accounts import Account, Accounts
from flow.programs import Gateway, Sim, settings_for
from flow.usage_rows import attempts_at, usage_of
from tollway.admin.keys import revoke_key
from tollway.clock import utc_now
from tollway.identity.keys import make_key
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database

PREFIXES = ("/v1", "/api/gateway", "/api/openrouter")
MESSAGES: Any = [{"role": "user", "content": "Tell me a story."}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": "weather",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]
IMPATIENT = """
[retries]
count_max = 0

[timeouts]
answer_s = 0.5
stream_headers_s = 0.5
"""
PATIENT = """
[retries]
backoff_s = 0.01
budget_min = 1000
"""


@pytest.fixture(params=PREFIXES)
def client(request: pytest.FixtureRequest, gateway: Gateway, account: Account) -> Iterator[OpenAI]:
    with client_of(gateway, account.key, request.param) as one:
        yield one


def client_of(gateway: Gateway, key: str, prefix: str = "/v1", max_retries: int = 0) -> OpenAI:
    return OpenAI(base_url=f"{gateway.url}{prefix}", api_key=key, max_retries=max_retries, timeout=30)


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    """Tries once and waits half a second."""
    yield from _started(tmp_path_factory.mktemp("impatient"), sim, IMPATIENT)


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    """Tries three times, whatever else fails at the same time."""
    yield from _started(tmp_path_factory.mktemp("patient"), sim, PATIENT)


def _started(folder: Path, sim: Sim, top: str) -> Iterator[Gateway]:
    program = Gateway(folder, settings_for(folder, sim.url, top=top))
    yield program
    program.stop()


def test_a_plain_answer(client: OpenAI, accounts: Accounts, account: Account) -> None:
    before = accounts.balance(account)
    raw = client.chat.completions.with_raw_response.create(model="sim/story", messages=MESSAGES)
    completion = raw.parse()
    assert completion.object == "chat.completion"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.choices[0].message.content
    charge = int(raw.headers["x-tollway-charge-microdollars"])
    assert charge == before - accounts.balance(account) > 0
    assert charge == _cost_microdollars(completion)
    (row,) = usage_of(accounts, account)
    assert (row.id, row.cost, row.basis) == (raw.headers["x-request-id"], charge, "reported")
    assert completion.usage
    assert row.completion_tokens == completion.usage.completion_tokens > 0


def test_what_the_caller_says_reaches_the_model(client: OpenAI) -> None:
    said = '„Äpfel“ — 苹果 🍎 \u2028 \\ " \t end'
    completion = client.chat.completions.create(model="sim/echo", messages=[{"role": "user", "content": said}])
    assert completion.choices[0].message.content == said


@pytest.mark.parametrize("wants_usage", [True, False])
def test_a_stream(client: OpenAI, accounts: Accounts, account: Account, wants_usage: bool) -> None:
    before = accounts.balance(account)
    options: Any = {"stream_options": {"include_usage": wants_usage}}
    with client.chat.completions.create(model="sim/story", messages=MESSAGES, stream=True, **options) as stream:
        chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    (usage,) = [chunk.usage for chunk in chunks if chunk.usage]  # whether asked for or not (guarantees M3)
    assert chunks[-1].usage is usage
    assert before - accounts.balance(account) == _microdollars((usage.model_extra or {})["cost"])


def test_a_stream_that_the_reader_leaves(client: OpenAI) -> None:
    with client.chat.completions.create(model="sim/story", messages=MESSAGES, stream=True) as stream:
        assert next(iter(stream)).object == "chat.completion.chunk"
    assert client.chat.completions.create(model="sim/story", messages=MESSAGES).choices  # and the client goes on


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_async_client(gateway: Gateway, account: Account, prefix: str) -> None:
    async def scenario() -> None:
        async with AsyncOpenAI(base_url=f"{gateway.url}{prefix}", api_key=account.key, max_retries=0) as client:
            completion = await client.chat.completions.create(model="sim/story", messages=MESSAGES)
            stream = await client.chat.completions.create(model="sim/story", messages=MESSAGES, stream=True)
            said = [chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices]
            assert "".join(said) == completion.choices[0].message.content

    asyncio.run(scenario())


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_tool_is_called_and_its_result_is_read(client: OpenAI, streamed: bool) -> None:
    if streamed:
        with client.chat.completions.stream(model="sim/toolsmith", messages=MESSAGES, tools=TOOLS) as stream:
            asked: ChatCompletion = stream.get_final_completion()
    else:
        asked = client.chat.completions.create(model="sim/toolsmith", messages=MESSAGES, tools=TOOLS)
    choice = asked.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.tool_calls
    (call,) = choice.message.tool_calls
    assert call.type == "function"
    assert call.function.name == "weather"
    assert json.loads(call.function.arguments) == {"city": "stand-in"}
    said = choice.message.model_dump(exclude_none=True, exclude={"parsed"})
    history: Any = [*MESSAGES, said, {"role": "tool", "tool_call_id": call.id, "content": "rain, 12 °C"}]
    final = client.chat.completions.create(model="sim/toolsmith", messages=history, tools=TOOLS)
    assert final.choices[0].message.content == 'The tool answered: "rain, 12 °C"'


def test_models_are_listed(client: OpenAI) -> None:
    listed = {model.id: model for model in client.models.list()}
    assert {"sim/story", "plain/story", "sim/toolsmith"} <= set(listed)
    assert listed["sim/story"].owned_by == "sim"
    assert Decimal((listed["sim/story"].model_extra or {})["pricing"]["prompt"]) > 0


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_useless_credential_gets_the_same_401(gateway: Gateway, accounts: Accounts, prefix: str) -> None:
    revoked = accounts.create()
    accounts.run(_revocation_of(revoked))  # never used before, so no verdict about it is kept
    unknown = make_key("0" * 30)
    bodies = []
    for key in (unknown, unknown[:-1] + "!", revoked.key, "sk-something-else", "a.b.c"):
        with client_of(gateway, key, prefix) as client:
            bodies.append(_refusal_of(client))
    with client_of(gateway, "unused", prefix) as client:
        bodies.append(_refusal_of(client, extra_headers={"Authorization": openai.Omit()}))
    assert len(bodies[0]) > 20
    assert set(bodies) == {bodies[0]}


def _revocation_of(account: Account) -> Callable[[SqlAdmin, Database], Any]:
    async def work(store: SqlAdmin, _: Database) -> None:
        await revoke_key(store, account.key_id, utc_now())

    return work


def _refusal_of(client: OpenAI, **options: Any) -> str:
    """The 401's body, without its request id."""
    with pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model="sim/story", messages=MESSAGES, **options)
    request_id = caught.value.response.headers["x-request-id"]
    return caught.value.response.text.replace(request_id, "<id>")


def test_no_credits_is_a_402(gateway: Gateway, accounts: Accounts, sim: Sim) -> None:
    poor = accounts.create(0)
    for prefix in PREFIXES:
        with client_of(gateway, poor.key, prefix) as client, pytest.raises(openai.APIStatusError) as caught:
            client.chat.completions.create(model="sim/story", messages=MESSAGES)
        assert caught.value.status_code == 402
        assert isinstance(caught.value.body, dict)
        assert caught.value.body["balance"] == 0
        assert caught.value.body["buyCreditsUrl"]
        assert attempts_at(sim, caught.value.response.headers["x-request-id"]) == []
    assert usage_of(accounts, poor) == []


@pytest.mark.parametrize("model", ["sim/nothing", "", "   ", "../../etc/passwd", "sim/story\0"])
def test_an_unknown_model_is_a_404(client: OpenAI, model: str) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(model=model, messages=MESSAGES)


@pytest.mark.parametrize(
    ("wrong", "raised"),
    [
        ({"messages": "hi"}, openai.BadRequestError),
        ({"n": 9}, openai.BadRequestError),
        ({"n": True}, openai.BadRequestError),
        ({"max_tokens": -1}, openai.BadRequestError),
        ({"max_tokens": 100_000_000_000}, openai.InternalServerError),
        ({"stop": ["x"] * 17}, openai.BadRequestError),
        ({"metadata": {"name": "x" * 513}}, openai.BadRequestError),
    ],
    ids=str,
)
def test_a_wrong_request_is_refused(client: OpenAI, wrong: dict[str, object], raised: type[Exception]) -> None:
    with pytest.raises(raised):
        client.chat.completions.create(model="sim/story", messages=MESSAGES, extra_body=wrong)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("status", "raised", "seen"),
    [
        (400, openai.BadRequestError, 400),
        (401, openai.AuthenticationError, 401),
        (402, openai.InternalServerError, 503),  # the operator's account is empty, not the caller's
        (403, openai.PermissionDeniedError, 403),
        (404, openai.NotFoundError, 404),
        (409, openai.ConflictError, 409),
        (422, openai.UnprocessableEntityError, 422),
        (429, openai.RateLimitError, 429),
        (500, openai.InternalServerError, 500),
        (502, openai.InternalServerError, 502),
        (503, openai.InternalServerError, 503),
        (504, openai.InternalServerError, 504),
    ],
)
def test_an_upstream_status_is_told(
    impatient: Gateway, sim: Sim, status: int, raised: type[openai.APIStatusError], seen: int, stream: bool
) -> None:
    accounts = Accounts(impatient.config)
    account = accounts.create()
    with client_of(impatient, account.key) as client, pytest.raises(raised) as caught:
        client.chat.completions.create(
            model="sim/story", messages=MESSAGES, stream=stream, extra_body={"sim": {"status": status}}
        )
    assert caught.value.status_code == seen
    assert len(attempts_at(sim, caught.value.response.headers["x-request-id"])) == 1
    assert accounts.balance(account) == 10_000_000
    assert accounts.differences() == ()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_upstream_that_does_not_answer_is_a_504(impatient: Gateway, stream: bool) -> None:
    account = Accounts(impatient.config).create()
    with client_of(impatient, account.key) as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(
            model="sim/story", messages=MESSAGES, stream=stream, extra_body={"sim": {"fault": "stall_headers"}}
        )
    assert caught.value.status_code == 504


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_an_upstream_that_is_not_there_is_a_502(impatient: Gateway, stream: bool) -> None:
    account = Accounts(impatient.config).create()
    with client_of(impatient, account.key) as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="dead/model", messages=MESSAGES, stream=stream)
    assert caught.value.status_code == 502


@pytest.mark.parametrize("fault", ["reset", "cut", "end_early", "half_close", "error_event", "bad_chunking"])
def test_a_broken_stream_raises(client: OpenAI, fault: str) -> None:
    """What a broken stream must never do is end as if it were whole."""
    chunks: list[Any] = []
    with (
        client.chat.completions.create(
            model="sim/story", messages=MESSAGES, stream=True, extra_body={"sim": {"fault": fault, "at": 5}}
        ) as stream,
        pytest.raises(openai.APIError),
    ):
        chunks.extend(stream)
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason] in ([], ["error"])
    assert sum(bool(chunk.choices[0].delta.content) for chunk in chunks) >= 5


@pytest.mark.parametrize("fault", ["reset", "short_length", "bad_json", "garbage", "not_http"])
def test_a_broken_whole_answer_raises(patient: Gateway, fault: str) -> None:
    accounts = Accounts(patient.config)
    account = accounts.create()
    with client_of(patient, account.key) as client, pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="sim/story", messages=MESSAGES, extra_body={"sim": {"fault": fault}})
    assert caught.value.status_code == 502
    assert accounts.differences() == ()


def test_the_clients_own_retries_are_billed_once(patient: Gateway, sim: Sim) -> None:
    """The stand-in fails seven times: two requests of three attempts each, and the first attempt of the third."""
    accounts = Accounts(patient.config)
    account = accounts.create()
    failing = {"sim": {"status": 500, "fail_first": 7, "key": account.user_id}}
    with client_of(patient, account.key, max_retries=2) as client:
        raw = client.chat.completions.with_raw_response.create(model="sim/story", messages=MESSAGES, extra_body=failing)
    assert raw.retries_taken == 2
    request_id = raw.headers["x-request-id"]
    assert [answer["status"] for answer in attempts_at(sim, request_id)] == [500, 200]
    rows = usage_of(accounts, account)
    assert [(row.id == request_id, row.cost > 0) for row in rows] == [(False, False), (False, False), (True, True)]
    assert all(len(attempts_at(sim, row.id)) == 3 for row in rows[:2])
    assert 10_000_000 - accounts.balance(account) == rows[-1].cost == _cost_microdollars(raw.parse())
    assert accounts.differences() == ()


def test_retries_that_are_used_up_cost_nothing(patient: Gateway) -> None:
    accounts = Accounts(patient.config)
    account = accounts.create()
    with client_of(patient, account.key, max_retries=1) as client, pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="sim/story", messages=MESSAGES, extra_body={"sim": {"status": 500}})
    assert accounts.balance(account) == 10_000_000
    assert [row.cost for row in usage_of(accounts, account)] == [0, 0]


@pytest.mark.parametrize("model", ["sim/story", "plain/story"])
def test_parallel_requests_add_up(gateway: Gateway, accounts: Accounts, account: Account, model: str) -> None:
    async def one(client: AsyncOpenAI, number: int) -> int:
        controls: Any = {"sim": {"chunks": number + 1, "tokens_per_chunk": 7}}
        raw = await client.chat.completions.with_raw_response.create(
            model=model, messages=MESSAGES, extra_body=controls
        )
        return int(raw.headers["x-tollway-charge-microdollars"])

    async def scenario() -> list[int]:
        async with AsyncOpenAI(base_url=f"{gateway.url}/v1", api_key=account.key, max_retries=0) as client:
            return await asyncio.gather(*(one(client, number) for number in range(20)))

    charges = asyncio.run(scenario())
    assert min(charges) > 0
    assert sum(charges) == 10_000_000 - accounts.balance(account)
    assert sorted(charges) == sorted(row.cost for row in usage_of(accounts, account))


def _cost_microdollars(completion: ChatCompletion) -> int:
    assert completion.usage
    return _microdollars((completion.usage.model_extra or {})["cost"])


def _microdollars(usd: float) -> int:
    return int(usd * 1_000_000 + 0.5)
