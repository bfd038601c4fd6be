"""Scripts: the same request always gets the same answer, and its length is known before it is said."""

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from tollway.sim.control import PLAIN, Control, Fault
from tollway.sim.models import MODELS
from tollway.sim.request import ChatRequest, Function, Message, Tool
from tollway.sim.script import ENDLESS, Script, write_script

TOOLS = [
    Tool(None),
    Tool(
        Function(
            "weather",
            {
                "properties": {
                    "city": {"type": "string"},
                    "days": {"type": "integer"},
                    "unit": {"enum": ["C", "F"]},
                    "now": {"type": "boolean"},
                    "tags": {"type": "array"},
                    "where": {"type": "object"},
                    "any": True,
                }
            },
        )
    ),
]


def script(
    model: str = "sim/story", control: Control = PLAIN, text: str = "say this  please", **request: object
) -> Script:
    messages = request.pop("messages", [Message("user", text)])
    return write_script(ChatRequest(model, messages, **request), MODELS[model], control)  # type: ignore[arg-type]


def test_a_story_depends_on_its_seed_only() -> None:
    assert script().text("content") == script(text="something else").text("content")
    assert script().text("content") != script(control=Control(seed=2)).text("content")
    assert script().token_count == 24


def test_an_echo_repeats_the_last_user_message() -> None:
    messages = [Message("user", "first"), Message("user", "second one"), Message("assistant", "no")]
    assert script("sim/echo", messages=messages).text("content") == "second one"
    assert script("sim/echo", messages=[]).token_count == 0
    assert script("sim/echo", Control(chunks=3), text="a b").text("content") == "a ba "


def test_a_reasoner_thinks_first() -> None:
    deltas = list(script("sim/reasoner").deltas())
    assert [delta.channel for delta in deltas] == ["reasoning"] * 12 + ["content"] * 24
    assert script("sim/reasoner", Control(reasoning_tokens=0)).count("reasoning") == 0


def test_a_toolsmith_calls_then_quotes() -> None:
    call = script("sim/toolsmith", tools=TOOLS)
    assert (call.tool_name, call.finish_reason) == ("weather", "tool_calls")
    assert json.loads(call.text("tool")) == {
        "city": "stand-in",
        "days": 1,
        "unit": "C",
        "now": True,
        "tags": [],
        "where": {},
        "any": "stand-in",
    }
    answer = script("sim/toolsmith", tools=TOOLS, messages=[Message("user", "x"), Message("tool", "sunny, 21")])
    assert answer.finish_reason == "stop"
    assert answer.text("content") == 'The tool answered: "sunny, 21"'
    assert script("sim/toolsmith").finish_reason == "stop"


def test_a_toolsmith_calls_what_it_is_told_to() -> None:
    tools = [*TOOLS, Tool(Function("read", {"properties": {"path": {"type": "string"}}}))]
    told = Control(tool="read", arguments='{"path":"/a b"}')
    call = script("sim/toolsmith", told, tools=tools)
    assert (call.tool_name, call.text("tool")) == ("read", '{"path":"/a b"}')
    assert script("sim/toolsmith", Control(tool="read"), tools=tools).text("tool") == '{"path":"stand-in"}'
    assert script("sim/toolsmith", told, tools=TOOLS).tool_name is None  # it is not offered


def test_text_is_said_as_it_is() -> None:
    said = script(control=Control(text=" é  x\ny "))
    assert said.text("content") == " é  x\ny "
    assert script(control=Control(text="", chunks=5)).token_count == 0


def test_a_limit_cuts_reasoning_first_and_says_so() -> None:
    short = script("sim/reasoner", max_tokens=14)
    assert (short.count("reasoning"), short.count("content"), short.finish_reason) == (12, 2, "length")
    assert script(max_completion_tokens=24).finish_reason == "stop"


def test_endless_is_lazy() -> None:
    endless = script(control=Control(fault=Fault.ENDLESS))
    assert endless.token_count == ENDLESS
    assert next(endless.deltas()).tokens == 1
    assert script(control=Control(fault=Fault.ENDLESS), max_tokens=3).token_count == 3


@given(
    chunks=st.integers(0, 40),
    size=st.integers(1, 5),
    reasoning=st.integers(0, 9),
    limit=st.none() | st.integers(1, 99),
    seed=st.integers(0, 2**63 - 1),
)
def test_the_chunks_add_up(chunks: int, size: int, reasoning: int, limit: int | None, seed: int) -> None:
    control = Control(chunks=chunks, tokens_per_chunk=size, reasoning_tokens=reasoning, seed=seed)
    written = script(control=control, max_tokens=limit)
    deltas = list(written.deltas())
    assert (
        sum(delta.tokens for delta in deltas) == written.token_count == min(chunks * size + reasoning, limit or 10**9)
    )
    assert all(1 <= delta.tokens <= size for delta in deltas)
    assert "".join(d.text for d in deltas if d.channel == "content") == written.text("content")
    assert (written.finish_reason == "length") == (written.token_count < chunks * size + reasoning)


def test_a_long_story_begins_like_a_short_one() -> None:
    long, short = script(control=Control(chunks=5000)), script(control=Control(chunks=50))
    assert long.text("content").startswith(short.text("content"))
    assert msgspec.json.decode(msgspec.json.encode(long.text("content"))) == long.text("content")
