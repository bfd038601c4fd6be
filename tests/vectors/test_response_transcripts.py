"""Vectors of response-path §16.4: what answers say, and the row that is made of it.

`<missing>` is NULL here. Where the page brackets the reference's result, ours is meant; M7 has an answer without any
output and finish reason cost nothing, so that of V42 is the operator's and its worth stands in `market_cost`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from contract.scenario import top_up
from flow.accounts import Accounts
from flow.conversation import Conversation
from flow.programs import Gateway, Sim
from flow.raw import Raw, ask, request
from tollway.billing.ledger import Basis, Outcome
from tollway.catalog.model import Price
from tollway.clock import utc_now
from tollway.gateway.lookups import look_up
from tollway.storage.migrations.run import migrate
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.billing import SqlBooks
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.usage import Details, SqlUsage, UsageRow
from unit.gateway.fake_lookups import FakeFetch, told, upstream
from unit.gateway.fakes import PRICE
from vectors.conftest import settings_for_vectors
from vectors.playing import JSON, Playing
from vectors.scripted import LAST_CHUNK, STREAM_HEAD, chunk
from vectors.transcripts import AFTER_TWO, J1, T1, T2, T3, T4, T5, T6, Told, stream, whole

V36: dict[str, Any] = {
    "message_id": "gen-1",
    "model": "openai/gpt-4.1",
    "provider": "OpenAI",
    "finish": "stop",
    "text": "Hello",
    "tokens": (14108, 79),
    "hit": 13696,
    "write": 0,
    "cost": 8304,
    "is_byok": False,
    "has_error": False,
    "streamed": True,
}
NOTHING = {"message_id": None, "tokens": (0, 0), "cost": 0}
V40 = {"message_id": "g", "has_error": False, "cost": 1, "tokens": (3, 1)}
V41 = {"provider": "bedrock", "finish": "length", "cost": 36000, "is_byok": True}
V42 = {"tokens": (5, 0), "cost": 0, "market_cost": 120, "is_byok": None}
V48_EVENT = b'data: {"id":"g","choices":[],"error":null}\n\n'
ACCENT = T1.replace(b'"content":"Hel"', '"content":"Hé"'.encode())


@pytest.mark.parametrize(
    ("told_", "row"),
    [
        pytest.param(stream([T1]), V36, id="response:V36"),
        pytest.param(stream([T2]), {**NOTHING, "has_error": True}, id="response:V39"),
        pytest.param(stream([T3]), V40, id="response:V40"),
        pytest.param(
            stream([T4]),
            {"provider": "bedrock", "finish": "length", "cost": 36000, "is_byok": True},
            id="response:V41",
        ),
        pytest.param(
            stream([T5]), {"tokens": (5, 0), "cost": 0, "market_cost": 120, "is_byok": None}, id="response:V42"
        ),
        pytest.param(stream([T6]), {"tokens": (9, 4), "cost": 123, "text": "x"}, id="response:V43"),
        pytest.param(
            whole(b'{"error":{"message":"slow down"}}', 429, streamed=True),
            {**NOTHING, "has_error": True, "status": 429},
            id="response:V46",
        ),
        pytest.param(stream([]), {**NOTHING, "has_error": False}, id="response:V47"),
        pytest.param(stream([V48_EVENT]), {"has_error": True}, id="response:V48"),
        pytest.param(
            whole(J1),
            {
                "message_id": "gen-2",
                "provider": "Google",
                "finish": "stop",
                "tokens": (20, 3),
                "write": 12,
                "cost": 105,
                "streamed": False,
                "has_error": False,
            },
            id="response:V49",
        ),
        pytest.param(whole(b'{"id":"x","choices":[]}'), {"has_error": True}, id="response:V50"),
        pytest.param(whole(b"<html>", 502), {**NOTHING, "has_error": True, "status": 502}, id="response:V51"),
    ],
)
def test_rows(told_: Told, row: dict[str, Any]) -> None:
    assert {name: told_.row[name] for name in row} == row


@pytest.mark.parametrize(
    ("told_", "asks", "warns"),
    [
        pytest.param(stream([T1[:AFTER_TWO]], gone=True), True, False, id="response:V37-lookup"),
        pytest.param(stream([T2]), False, False, id="response:V39-lookup"),
        pytest.param(whole(b'{"error":{}}', 429, streamed=True), False, False, id="response:V46-lookup"),
        pytest.param(stream([]), False, True, id="response:V47-warning"),
    ],
)
def test_what_is_asked_and_warned_of(tmp_path: Path, told_: Told, asks: bool, warns: bool) -> None:
    """A row that says how often it was looked up will be."""
    row, _ = settled(tmp_path, told_.outcome)
    assert (row.lookups is not None) is asks
    assert ("no_usage" in told_.warnings) is warns


def settled(
    folder: Path, outcome: Outcome, then: Callable[[SqlBooks], Awaitable[None]] | None = None
) -> tuple[UsageRow, Details]:
    """The outcome in the books, and what happens to it `then`."""

    async def work() -> tuple[UsageRow | None, Details | None]:
        database = open_database(url)
        books = SqlBooks(database)
        await books.enlist("w1", "node")
        await top_up(database, outcome.hold.budgets[0], 1_000_000)
        await books.settle("w1", [outcome])
        if then:
            await then(books)
        usage = SqlUsage(database)
        found = await usage.find(outcome.hold.request_id), await usage.details(outcome.hold.request_id)
        await database.close()
        return found

    url = f"sqlite:///{folder}/tollway.db"
    migrate(url)
    row, details = asyncio.run(work())
    assert row
    assert details
    return row, details


@pytest.mark.parametrize("cut", [pytest.param(AFTER_TWO, id="response:V37")])
def test_a_client_that_goes_before_the_usage(cut: int) -> None:
    """Charged by estimate until the upstream's record is known (§14)."""
    row = stream([T1[:cut]], gone=True)
    assert (row.row["message_id"], row.row["has_error"]) == ("gen-1", True)
    assert row.outcome.basis is Basis.INTERRUPTED
    assert row.outcome.reported_cost is None


def test_text_in_pieces() -> None:
    """All cuts in two; the same row and the same bytes."""
    for cut in range(len(T1) + 1):
        one = stream([T1[:cut], T1[cut:]])
        assert (one.row, one.passed) == ({**one.row, **V36}, T1)


@pytest.mark.parametrize("size", [pytest.param(size, id=f"response:V44-{size}") for size in (1, 2, 3, 7)])
def test_cut_everywhere(size: int) -> None:
    pieces = [T1[start : start + size] for start in range(0, len(T1), size)]
    row = stream(pieces).row
    assert {name: row[name] for name in V36} == V36
    test_text_in_pieces()


@pytest.mark.parametrize("transcript", [T2, T3, T4, T5, T6], ids=["T2", "T3", "T4", "T5", "T6"])
def test_the_others_too(transcript: bytes) -> None:
    expected = stream([transcript]).row
    for cut in range(len(transcript) + 1):
        assert stream([transcript[:cut], transcript[cut:]]).row == expected


@pytest.mark.parametrize("letter", [pytest.param("é", id="response:V45")])
def test_a_letter_in_two_pieces(letter: str) -> None:
    cut = ACCENT.index(letter.encode()) + 1
    one = stream([ACCENT[:cut], ACCENT[cut:]])
    assert (one.row["text"], one.row["cost"]) == ("Hélo", 8304)


@pytest.mark.parametrize("cost", [pytest.param(8304, id="response:V38")])
def test_the_record_of_an_answer_whose_client_had_gone(tmp_path: Path, cost: int) -> None:
    async def look(books: SqlBooks) -> None:
        async def find_price(_: str) -> Price:
            return PRICE

        answer = told(0.008304, native_tokens_prompt=14108, native_tokens_completion=79)
        upstreams = {"openrouter": upstream("openrouter")}
        now = utc_now() + timedelta(days=365)  # long after the answer
        assert (await look_up(books, upstreams, find_price, FakeFetch({"gen-1": answer}), now)).corrected == 1

    row, details = settled(tmp_path, stream([T1[:AFTER_TWO]], gone=True).outcome, look)
    assert (row.cost_microdollars + row.corrected_microdollars, row.has_error) == (cost, True)
    assert (details.found_prompt_tokens, details.found_completion_tokens) == (14108, 79)


# Through the running program

CHAT_PATH = b"/api/openrouter/chat/completions"
TOP = "store_prompt_prefixes = true\n[retries]\ncount_max = 0\n[timeouts]\ndrain_s = 1\n"


@pytest.fixture(scope="module")
def playing() -> Iterator[Playing]:
    server = Playing()
    yield server
    server.close()


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, playing: Playing) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("transcripts")
    settings = settings_for_vectors(folder, playing, top=TOP)  # type: ignore[arg-type]
    program = Gateway(folder, settings)
    yield program
    assert program.stop() == 0


def row_of(gateway: Gateway, stream_: bool, headers: dict[str, str] | None = None, **more: Any) -> Any:
    """One request through the gateway; the answer, the usage row and its details."""
    accounts = Accounts(gateway.config)
    account = accounts.create(1_000_000_000)
    body = {"model": "a/b", "stream": stream_, "messages": [{"role": "user", "content": "x" * 20_000}], **more}
    raw = request(json.dumps(body).encode(), CHAT_PATH, {**account.headers, **(headers or {})})
    answer = ask(gateway, raw)

    async def read(_: SqlAdmin, database: Database) -> tuple[UsageRow | None, Details | None]:
        usage = SqlUsage(database)
        id_ = answer.headers["x-request-id"]
        return await usage.find(id_), await usage.details(id_)

    row, details = accounts.run(read)
    assert row
    assert details
    return answer, row, details


@pytest.mark.parametrize(
    ("transcript", "size", "expected"),
    [
        pytest.param(T1, 0, V36, id="response:V36-program"),
        pytest.param(T1, 11, V36, id="response:V44-program"),
        pytest.param(
            T4,
            0,
            V41,
            id="response:V41-program",
        ),
        pytest.param(T2, 0, {**NOTHING, "has_error": True}, id="response:V39-program"),
        pytest.param(T3, 0, V40, id="response:V40-program"),
        pytest.param(T3, 1, V40, id="response:V40-program-in-pieces"),
        pytest.param(T6, 5, {"tokens": (9, 4), "cost": 123}, id="response:V43-program"),
        pytest.param(ACCENT, 3, {"cost": 8304}, id="response:V45-program"),
    ],
)
def test_streams_through_the_program(
    gateway: Gateway, playing: Playing, transcript: bytes, size: int, expected: dict[str, Any]
) -> None:
    playing.play(transcript, size=size)
    _, row, _ = row_of(gateway, stream_=True)
    found = fields_of(row)
    assert found == {**found, **{name: value for name, value in expected.items() if name != "text"}}


def fields_of(row: UsageRow) -> dict[str, Any]:
    """By the names that the expected ones have here."""
    return {
        "message_id": row.message_id,
        "model": row.model,
        "provider": row.inference_provider,
        "finish": row.finish_reason,
        "tokens": (row.prompt_tokens, row.completion_tokens),
        "hit": row.cached_tokens,
        "write": row.cache_write_tokens,
        "cost": row.cost_microdollars,
        "market_cost": row.market_cost_microdollars,
        "is_byok": row.is_byok,
        "has_error": row.has_error,
        "streamed": row.streamed,
    }


@pytest.mark.parametrize(
    ("record", "cost"),
    [
        pytest.param(None, None, id="response:V37-program"),
        pytest.param(
            told(0.008304, native_tokens_prompt=14108, native_tokens_completion=79), 8304, id="response:V38-program"
        ),
    ],
)
def test_a_client_that_leaves(gateway: Gateway, playing: Playing, record: Any, cost: int | None) -> None:
    """One look-up is made, and goes on while there is no record."""
    accounts = Accounts(gateway.config)
    account = accounts.create(1_000_000_000)
    message_id = f"gen-{cost}"  # look-ups for the other one may still go on
    playing.play(T1[:AFTER_TWO].replace(b"gen-1", message_id.encode()), size=13, hangs=True)
    playing.record = None if record is None else record[1]
    with Conversation(gateway) as conversation:
        conversation.ask(
            account, {"model": "a/b", "stream": True, "messages": [{"role": "user", "content": "x" * 20_000}]}
        )
        id_ = conversation.read_until(b"lo").partition(b"x-request-id: ")[2][:32].decode()
    until = monotonic() + 20

    async def read(_: SqlAdmin, database: Database) -> UsageRow | None:
        return await SqlUsage(database).find(id_)

    while (
        message_id not in playing.looked_up
        or (row := accounts.run(read)) is None
        or (row.reconciled_at is None) is (cost is not None)
    ):
        assert monotonic() < until
    assert (row.message_id, row.has_error, row.cancelled, row.basis) == (message_id, True, True, "interrupted")
    if cost is not None:
        assert playing.looked_up.count(message_id) == 1
        assert row.cost_microdollars + row.corrected_microdollars == cost


# Played by the stand-in, cut into segments anywhere: in the head, in a chunk's size, in an event, in a letter

PLAYED = {"t1": T1, "t2": T2, "t3": T3, "t4": T4, "t5": T5, "t6": T6, "accent": ACCENT, "empty": b"", "v48": V48_EVENT}
BYTES = (1, 2, 3, 7, 64, 1_000)


@pytest.fixture(scope="module")
def sim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sim]:
    folder = tmp_path_factory.mktemp("sim")
    for name, transcript in PLAYED.items():
        body = b"".join(chunk(transcript[at : at + 50]) for at in range(0, len(transcript), 50))
        (folder / f"{name}.http").write_bytes(STREAM_HEAD + body + LAST_CHUNK)
    program = Sim(folder, "--replay-dir", str(folder))
    yield program
    program.stop()


@pytest.fixture(scope="module")
def behind_sim(tmp_path_factory: pytest.TempPathFactory, sim: Sim) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("behind-sim")
    patient = "[retries]\ncount_max = 0\n[breaker]\nfailures_in_a_row = 0\ncalls_min = 0\n"
    program = Gateway(folder, settings_for_vectors(folder, sim, top=patient))  # type: ignore[arg-type]
    yield program
    assert program.stop() == 0


@pytest.mark.parametrize("size", BYTES)
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("t1", V36, id="response:V44-stand-in"),
        pytest.param("t2", {**NOTHING, "has_error": True}, id="response:V39-stand-in"),
        pytest.param("t3", V40, id="response:V40-stand-in"),
        pytest.param("t4", V41, id="response:V41-stand-in"),
        pytest.param("t5", V42, id="response:V42-stand-in"),
        pytest.param("t6", {"tokens": (9, 4), "cost": 123}, id="response:V43-stand-in"),
        pytest.param("accent", {"cost": 8304}, id="response:V45-stand-in"),
    ],
)
def test_streams_from_the_stand_in(
    behind_sim: Gateway, sim: Sim, name: str, size: int, expected: dict[str, Any]
) -> None:
    answer, row, _ = row_of(behind_sim, stream_=True, sim={"replay": name, "split": size})
    found = fields_of(row)
    assert found == {**found, **{key: value for key, value in expected.items() if key != "text"}}
    if row.finish_reason or name in ("t3", "t6"):
        assert answer.body == PLAYED[name]  # to the byte, and no error event behind it
    assert not [one for one in sim.records() if one["kind"] == "lookup"]


@pytest.mark.parametrize("size", [pytest.param(size, id=f"response:V47-stand-in-{size}") for size in BYTES])
def test_a_stream_of_nothing_from_the_stand_in(behind_sim: Gateway, size: int) -> None:
    """The page says what its row tells (6.2: it was not aborted and reported nothing), guarantee S4 what its client is
    told: it did not finish, so it must not look complete."""
    answer, row, _ = row_of(behind_sim, stream_=True, sim={"replay": "empty", "split": size})
    check_a_stream_of_nothing(behind_sim, answer, row)


@pytest.mark.parametrize("model", [pytest.param("a/b", id="response:V47-program")])
def test_a_stream_of_nothing(gateway: Gateway, playing: Playing, model: str) -> None:
    playing.play(b"")
    answer, row, _ = row_of(gateway, stream_=True, model=model)
    check_a_stream_of_nothing(gateway, answer, row)


def check_a_stream_of_nothing(gateway: Gateway, answer: Any, row: UsageRow) -> None:
    assert (answer.status, answer.json["error"], answer.is_whole) == (502, "Bad Gateway", True)
    found = fields_of(row)
    assert found == {**found, **NOTHING, "has_error": False, "market_cost": 0, "streamed": True}
    assert (row.status_code, row.basis, row.lookups) == (200, "absorbed", None)
    assert '"level":"warning"' in gateway.wait_for_words('"event":"no_usage"', answer.headers["x-request-id"])


@pytest.mark.parametrize("size", [pytest.param(size, id=f"response:V48-stand-in-{size}") for size in BYTES])
def test_a_null_error_from_the_stand_in(behind_sim: Gateway, size: int) -> None:
    """An error to its row, because the key is there; its client is told of the end that did not come."""
    answer, row, _ = row_of(behind_sim, stream_=True, sim={"replay": "v48", "split": size})
    assert (answer.status, answer.is_whole) == (200, True)
    assert answer.body.startswith(V48_EVENT)
    assert answer.body.count(b'"finish_reason":"error"') == 1
    assert b"[DONE]" not in answer.body
    found = fields_of(row)
    assert found == {**found, "message_id": "g", "tokens": (0, 0), "cost": 0, "has_error": True}


@pytest.mark.parametrize("name", [pytest.param("t1", id="response:V44-stand-in-at-every-byte")])
def test_one_cut_at_every_byte(behind_sim: Gateway, sim: Sim, name: str) -> None:
    """Of the answer as it is on the wire: head, chunks, end. Each time the same bytes, and the same charge."""
    accounts = Accounts(behind_sim.config)
    account = accounts.create(1_000_000_000)
    wire = (sim.folder / f"{name}.http").read_bytes()
    with Raw(behind_sim) as connection:
        for at in range(1, len(wire)):
            control = {"replay": name, "cut_at": at}
            body = {"model": "a/b", "stream": True, "messages": [{"role": "user", "content": "x" * 20_000}]}
            connection.send(request({**body, "sim": control}, CHAT_PATH, account.headers))
            answer = connection.read()
            assert (at, answer.status, answer.body) == (at, 200, PLAYED[name])
    assert accounts.spent(account) == V36["cost"] * (len(wire) - 1)


@pytest.mark.parametrize(
    ("body", "status", "stream_", "shown", "expected"),
    [
        pytest.param(J1, 200, False, 200, ("gen-2", 200, False, 105), id="response:V49-program"),
        pytest.param(b'{"id":"x","choices":[]}', 200, False, 200, ("x", 200, True, 0), id="response:V50-program"),
        pytest.param(b"<html>", 502, False, 502, (None, 502, True, 0), id="response:V51-program"),
        pytest.param(b'{"error":{"message":"no"}}', 429, True, 429, (None, 429, True, 0), id="response:V46-program"),
        pytest.param(b'{"error":{"message":"pay"}}', 402, False, 503, (None, 402, True, 0), id="response:V52"),
    ],
)
def test_whole_answers_through_the_program(
    gateway: Gateway, playing: Playing, body: bytes, status: int, stream_: bool, shown: int, expected: tuple[Any, ...]
) -> None:
    playing.play(body, status, JSON)
    answer, row, _ = row_of(gateway, stream_=stream_)
    assert answer.status == shown
    assert (row.message_id, row.status_code, row.has_error, row.cost_microdollars) == expected


def test_particulars_through_the_program(gateway: Gateway, playing: Playing) -> None:
    """Written by the settlement like the rest, prompts as the operator wants it, the rest of them never."""
    playing.play(J1, type_=JSON)
    said = {
        "User-Agent": "UA/9",
        "X-KiloCode-Mode": "code",
        "X-Tollway-TaskId": "task-1",
        "X-KiloCode-Version": "4.1.2",
    }
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "\0abc"}]
    _, _, details = row_of(gateway, False, said, messages=messages, max_tokens=77, tools=[], transforms=["middle-out"])
    assert (details.user_agent, details.mode, details.session_id) == ("UA/9", "code", "task-1")
    assert (details.system_prefix, details.user_prefix, details.system_prompt_length) == ("be brief", "abc", 8)
    assert (details.max_tokens, details.has_tools, details.has_middle_out) == (77, False, True)
    assert (details.address_hash, details.auto_model, details.feature) == (None, None, None)
