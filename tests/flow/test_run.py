"""`tollway run` end to end: flows 3 to 8 of catalog-and-clients C.13, on a terminal and without one."""

import base64
import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flow.machine import Machine
from flow.programs import Sim, plain_environment
from flow.terminal import INTERRUPT, NOTHING_MORE
from servers.chats import BREAKS, STALLS, Answer, ChatServer, calls, chat_server, delta, ending, refuses, says

KEY = "sk-fake-key-of-a-test"
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
ASK = ("run", "-m", "fastrouter/a/b")


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        yield running


@pytest.fixture
def machine(tmp_path: Path, server: ChatServer) -> Machine:
    return Machine(tmp_path, {"FASTROUTER_API_KEY": KEY}, server.config())


def events(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def test_text_streams_with_tokens_and_cost(machine: Machine, sim: Sim) -> None:
    """Flow 3, with the stand-in as FastRouter."""
    models = {"sim/story@chunks=5": {"limit": {"output": 64_000}}}
    options = {"baseURL": f"{sim.url}/api/v1"}
    machine.config = {"provider": {"fastrouter": {"options": options, "models": models}}}
    ended = machine.tollway("run", "-m", "fastrouter/sim/story@chunks=5", "Say", "hi")
    assert (ended.code, len(ended.out.split())) == (0, 5)
    assert ended.err == ("fastrouter/sim/story@chunks=5 · tokens 2 in, 5 out · cost $0.000009 (said by FastRouter)\n")
    asked = next(one for one in reversed(sim.records()) if one["kind"] == "request")
    headers = {name.lower(): text for name, text in asked["headers"]}
    assert asked["model"] == "sim/story", "the stand-in leaves its controls out"
    assert {"http-referer", "x-title"} <= set(headers)
    assert headers["user-agent"].startswith("tollway/")


def test_what_is_asked(machine: Machine, server: ChatServer) -> None:
    """C.9: of the dialect's own, and what the configuration says, which goes as it is."""
    options = {"provider": {"sort": "price", "zdr": True}, "temperature": 0.5}
    machine.config = server.config(models={"a/b": {"limit": {"output": 64_000}, "options": options}})
    assert machine.tollway(*ASK, "--variant", "high", "hi").code == 0
    (body,) = server.bodies
    assert body.pop("prompt_cache_key").startswith("ses_")
    assert body == {
        "model": "a/b",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": True,
        "usage": {"include": True},
        "max_tokens": 32_000,
        "reasoning": {"effort": "high"},
        **options,
    }
    assert "no variant 'nosuch'" in machine.tollway(*ASK, "--variant", "nosuch", "hi").err


def test_a_tool_round_trip(machine: Machine, server: ChatServer) -> None:
    """Flow 4."""
    (machine.home / "notes.txt").write_text("the password is swordfish\n")
    server.answer(calls("call_7", "read", '{"path":"notes.txt"}'), says("It says ", "swordfish."))
    ended = machine.tollway(*ASK, "--tool", "read", "read file notes.txt")
    assert (ended.code, ended.out, len(server.bodies)) == (0, "It says swordfish.\n", 2)
    asked, call, result = server.bodies[1]["messages"]
    assert asked["role"] == "user"
    assert [one["id"] for one in call["tool_calls"]] == [result["tool_call_id"]] == ["call_7"]
    assert call["tool_calls"][0]["function"] == {"name": "read", "arguments": '{"path":"notes.txt"}'}
    assert (result["role"], result["content"]) == ("tool", "the password is swordfish\n")
    assert [tool["function"]["name"] for tool in server.bodies[0]["tools"]] == ["read"]


def test_without_the_option_there_are_no_tools(machine: Machine, server: ChatServer) -> None:
    """Not even for a model that asks for one all the same."""
    (machine.home / "notes.txt").write_text("secret")
    server.answer(calls("call_7", "read", '{"path":"notes.txt"}'), says("well"))
    assert machine.tollway(*ASK, "hi").code == 0
    assert "tools" not in server.bodies[0]
    assert "there is no tool" in server.bodies[1]["messages"][-1]["content"]


@pytest.mark.parametrize(
    "path", ["../outside.txt", "{outside}", "link.txt", "folder/../../outside.txt", "linked/outside.txt"]
)
def test_nothing_outside_is_read_unasked(machine: Machine, server: ChatServer, tmp_path: Path, path: str) -> None:
    """By dots, by an absolute path, by a link to a file, by a link to a folder."""
    outside = tmp_path / "outside.txt"
    outside.write_text("a secret")
    project = tmp_path / "project"
    (project / "folder").mkdir(parents=True)
    (project / "link.txt").symlink_to(outside)
    (project / "linked").symlink_to(tmp_path)
    asked = json.dumps({"path": path.format(outside=outside)})
    server.answer(calls("c", "read", asked), says("well"))
    ended = machine.tollway(*ASK, "--tool", "read", "--dir", str(project), "hi")
    assert ended.code == 0
    assert "does not allow" in server.bodies[1]["messages"][-1]["content"]
    server.answer(calls("c", "read", asked), says("well"))
    machine.tollway(*ASK, "--tool", "read", "--auto", "--dir", str(project), "hi")
    assert server.bodies[3]["messages"][-1]["content"] == "a secret"


def test_keys_are_outside_wherever_they_are(machine: Machine, server: ChatServer) -> None:
    """Who works in the home folder has the credential store below it."""
    machine.put_store('{"openai":{"type":"api","key":"sk-fake-other"}}')
    server.answer(calls("c", "read", '{"path":".local/share/tollway/auth.json"}'), says("well"))
    machine.tollway(*ASK, "--tool", "read", "hi")
    assert "does not allow" in server.bodies[1]["messages"][-1]["content"]


@pytest.mark.parametrize(("answer", "told"), [("y\n", "a secret"), ("n\n", "does not allow")], ids=["yes", "no"])
def test_a_person_is_asked(machine: Machine, server: ChatServer, tmp_path: Path, answer: str, told: str) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("a secret")
    project = tmp_path / "project"
    project.mkdir()
    server.answer(calls("c", "read", '{"path":"../outside.txt"}'), says("well"))
    terminal = machine.terminal(*ASK, "--tool", "read", "--dir", str(project), "hi")
    terminal.expect(f"The model wants to read {outside}, outside of the working folder. Allow it? [y/N]: ")
    terminal.type(answer)
    assert terminal.end() == 0
    assert told in server.bodies[1]["messages"][-1]["content"]


def test_ctrl_c_before_a_question_of_permission_ends_it(machine: Machine, server: ChatServer) -> None:
    server.answer(calls("c", "read", '{"path":"/etc/hostname"}'), says("well"))
    terminal = machine.terminal(*ASK, "--tool", "read", "hi")
    terminal.expect("[y/N]: ")
    os.kill(terminal.pid, signal.SIGINT)
    assert (terminal.end(), len(server.bodies)) == (130, 1)


def test_a_stored_key_serves_a_new_process(machine: Machine, server: ChatServer) -> None:
    """Flow 5."""
    machine.environ = {}
    assert machine.tollway("auth", "login", "-p", "fastrouter", "--key-stdin", stdin=KEY).code == 0
    assert machine.tollway(*ASK, "hi").out == "hello\n"
    assert server.chats[0].headers["authorization"] == f"Bearer {KEY}"


def test_nothing_leaks_into_another_gateway(machine: Machine, server: ChatServer) -> None:
    """Flow 6: back at a gateway of our own, after a chat at FastRouter with headers and options of its own."""
    server.models = [{"id": "a/b", "context_length": 1000}]
    options = {"baseURL": f"{server.url}/api/v1", "headers": {"X-Fast": "yes"}}
    models = {"a/b": {"options": {"provider": {"sort": "price"}}}}
    machine.config = {"provider": {"fastrouter": {"options": options, "models": models}}}
    machine.environ["TOLLWAY_API_URL"] = server.url
    assert machine.tollway(*ASK, "hi").code == 0
    assert machine.tollway("run", "-m", "tollway/a/b", "hi").code == 0
    first, second = server.chats
    assert (first.headers["x-fast"], server.bodies[0]["provider"]) == ("yes", {"sort": "price"})
    assert not {"x-fast", "authorization"} & set(second.headers)
    assert "provider" not in server.bodies[1]
    assert server.bodies[0]["prompt_cache_key"] != server.bodies[1]["prompt_cache_key"]


def test_an_outage_and_its_end(machine: Machine, server: ChatServer) -> None:
    """Flow 7."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    machine.config = {"provider": {"fastrouter": {"options": {"baseURL": f"http://127.0.0.1:{port}/v1"}}}}
    down = machine.tollway(*ASK, "hi")
    assert (down.code, down.out, down.err) == (
        1,
        "",
        "FastRouter is unreachable; no models loaded. Retrying.\n",
    )
    machine.config = server.config()
    assert machine.tollway(*ASK, "hi").out == "hello\n"


def test_an_outage_without_a_name(machine: Machine, server: ChatServer) -> None:
    """Who has a key is not told to enter one; and whose list is missing is said beside those that are there."""
    dead = {"options": {"baseURL": "http://127.0.0.1:9/v1"}}
    machine.config = {"provider": {"fastrouter": dead}}
    down = machine.tollway("run", "hi")
    assert (down.code, down.err) == (1, "FastRouter is unreachable; no models loaded. Retrying.\n")
    machine.config = {"provider": {**server.config()["provider"], "openai": {**dead, "name": "Closed"}}}
    beside = machine.tollway("run", "hi", OPENAI_API_KEY=KEY)
    assert (beside.code, beside.out) == (0, "hello\n")
    assert beside.err.startswith("Closed is unreachable; no models loaded. Retrying.\n")


def test_an_unknown_model_is_not_asked(machine: Machine, server: ChatServer) -> None:
    """D.4.4; and flow 8: only live models are there."""
    server.models = [{"id": "anthropic/claude-haiku-4.5"}, {"id": "openai/gpt-5"}]
    ended = machine.tollway("run", "-m", "fastrouter/anthropic/claude-haiku-4-5", "hi")
    assert (ended.code, server.bodies) == (1, [])
    assert "Did you mean fastrouter/anthropic/claude-haiku-4.5?" in ended.err
    nobody = machine.tollway("run", "-m", "nosuch/a", "hi")
    assert (nobody.code, "is not a provider that is known here" in nobody.err) == (1, True)


def test_a_gateway_without_a_key(machine: Machine, server: ChatServer) -> None:
    machine.environ = {}
    ended = machine.tollway(*ASK, "hi")
    assert (ended.code, server.asked) == (1, [])
    assert "FastRouter is not connected. Enter a key: tollway auth login -p fastrouter" in ended.err


def test_events(machine: Machine, server: ChatServer) -> None:
    (machine.home / "n").write_text("x")
    server.models = [{"id": "a/b", "pricing": {"prompt": "0.000003", "completion": "0.000015"}}]
    usage = {"prompt_tokens": 1000, "completion_tokens": 34}
    server.answer(
        calls("c", "read", '{"path":"n"}'),
        Answer([delta(reasoning="hm"), delta(content="A"), delta(content="B"), ending("stop", **usage)]),
    )
    ended = machine.tollway(*ASK, "--tool", "read", "--format", "json", "--thinking", "hi")
    assert (ended.code, ended.err) == (0, "")
    told = events(ended.out)
    assert [one["type"] for one in told] == [
        "step_start",
        "step_finish",
        "tool_use",
        "step_start",
        "reasoning",
        "text",
        "text",
        "step_finish",
    ]
    assert told[1] == {
        "type": "step_finish",
        "reason": "tool_calls",
        "cost": None,
        "cost_source": None,
        "tokens": None,
        "output_tokens_min": 2,
    }
    assert (told[2]["name"], told[2]["result"]) == ("read", "x")
    assert (told[-1]["reason"], told[-1]["cost"], told[-1]["cost_source"]) == ("stop", 0.00351, "computed")
    refused = machine.tollway("run", "-m", "fastrouter/c", "--format", "json", "hi")
    assert (refused.code, [one["type"] for one in events(refused.out)]) == (1, ["error"])


def test_reasoning_stays_out_of_a_pipe(machine: Machine, server: ChatServer) -> None:
    server.answer(Answer([delta(reasoning="hm, hm"), *says("A").events]))
    quiet = machine.tollway(*ASK, "hi")
    assert (quiet.out, "hm" in quiet.err) == ("A\n", False)
    loud = machine.tollway(*ASK, "hi", "--thinking")
    assert (loud.out, "hm, hm" in loud.err) == ("A\n", True)


def test_a_terminal_shows_markdown(machine: Machine, server: ChatServer) -> None:
    """Reasoning dimmed, what the model writes rendered, and none of its control characters obeyed."""
    texts = ["# Ti", "tle\n\nsome **bo", "ld** text\x1b]0;owned\x07\n\n- one\n- two\n\n```\nco", "de\n```\n"]
    server.answer(Answer([delta(reasoning="let me\nsee"), *says(*texts, prompt_tokens=1, cost=0.5).events]))
    terminal = machine.terminal(*ASK, "hi", TERM="xterm-256color", COLUMNS="60")
    assert terminal.end() == 0
    shown = terminal.shown
    assert "\x1b[2;3mlet me\x1b[0m\n\x1b[2;3msee\x1b[0m" in shown
    assert "\x1b[1mbold\x1b[0m text" in shown
    assert "• " in shown
    assert "code" in shown
    assert not any(mark in shown for mark in ("**", "```", "# Ti", "\x1b]0;"))
    assert "cost $0.5 (said by FastRouter)" in shown


def test_a_pipe_gets_it_as_it_is(machine: Machine, server: ChatServer) -> None:
    server.answer(says("# Title\n\n", "**bold**"))
    assert machine.tollway(*ASK, "hi").out == "# Title\n\n**bold**\n"


def interrupted(machine: Machine, server: ChatServer, *words: str) -> tuple[int, str, str]:
    """SIGINT once the first text is there."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tollway", *words],
        cwd=machine.home,
        env={**plain_environment(), **machine._all({})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    first = process.stdout.read(5)
    process.send_signal(signal.SIGINT)
    assert server.hung_up.wait(10), "the gateway goes on generating"
    out, err = process.communicate(timeout=60)
    return process.returncode, (first + out).decode(), err.decode()


def test_ctrl_c_stops_the_gateway_and_shows_what_was_used(machine: Machine, server: ChatServer) -> None:
    server.answer(Answer([delta(content="hello"), STALLS]))
    code, out, err = interrupted(machine, server, *ASK, "hi")
    assert (code, out) == (130, "hello\n")
    assert err == "fastrouter/a/b · interrupted · tokens - · cost - · nobody counted at least 1 tokens out\n"
    server.answer(says("on we go"))
    assert machine.tollway(*ASK, "-c", "go on").code == 0
    assert [one["content"] for one in server.bodies[1]["messages"]] == ["hi", "hello", "go on"]


def test_usage_that_came_before_ctrl_c_is_shown(machine: Machine, server: ChatServer) -> None:
    used = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "cost": 0.25}}
    server.answer(Answer([used, delta(content="hello"), STALLS]))
    code, _, err = interrupted(machine, server, *ASK, "hi")
    assert code == 130
    assert "interrupted · tokens 7 in, 3 out · cost $0.25 (said by FastRouter)" in err


def test_ctrl_c_while_waiting_for_the_next_attempt(machine: Machine, server: ChatServer) -> None:
    server.answer(refuses(429, {"error": {"message": "slow down"}}, Retry_After="500"))
    terminal = machine.terminal(*ASK, "hi")
    terminal.expect("slow down; trying again in 500 s")
    os.kill(terminal.pid, signal.SIGINT)
    assert (terminal.end(), len(server.bodies)) == (130, 1)


def test_an_answer_that_breaks_off(machine: Machine, server: ChatServer) -> None:
    """Not asked again: its beginning was shown."""
    server.answer(Answer([delta(content="partial"), BREAKS]))
    ended = machine.tollway(*ASK, "hi")
    assert (ended.code, ended.out, len(server.bodies)) == (1, "partial\n", 1)
    assert "the answer was cut off" in ended.err


def test_an_answer_in_one_piece(machine: Machine, server: ChatServer) -> None:
    """From a gateway that does not stream."""
    whole = {"choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}], "usage": {"completion_tokens": 1}}
    server.answer(Answer(body=json.dumps(whole).encode()))
    ended = machine.tollway(*ASK, "hi")
    assert (ended.code, ended.out) == (0, "hello\n")
    assert "0 in, 1 out" in ended.err


def test_files(machine: Machine, server: ChatServer) -> None:
    """What a file is, its bytes say."""
    (machine.home / "picture.txt").write_bytes(PIXEL)
    (machine.home / "notes.md").write_text("a note")
    (machine.home / "junk").write_bytes(b"\x00\xff\x00")
    assert machine.tollway(*ASK, "what is it?", "-f", "picture.txt", "-f", "notes.md").code == 0
    image, note, text = server.bodies[0]["messages"][0]["content"]
    assert image == {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{base64.b64encode(PIXEL).decode()}"},
    }
    assert note == {"type": "text", "text": "File notes.md:\na note"}
    assert text == {"type": "text", "text": "what is it?"}
    for name in ("junk", "nosuch", "."):
        refused = machine.tollway(*ASK, "hi", "-f", name)
        assert refused.code == 1
        assert name in refused.err or str(machine.home) in refused.err
    assert len(server.bodies) == 1


def test_sessions(machine: Machine, server: ChatServer) -> None:
    """Go on with the last one of this folder, or with a copy; nobody else can read them."""
    assert "no session in this folder" in machine.tollway(*ASK, "-c", "hi").err
    assert machine.tollway(*ASK, "one").code == 0
    assert machine.tollway("run", "-c", "two").code == 0, "the model is that of the session"
    assert machine.tollway("run", "-c", "--fork", "three").code == 0
    asked = [[one["content"] for one in body["messages"]] for body in server.bodies]
    assert asked == [["one"], ["one", "hello", "two"], ["one", "hello", "two", "hello", "three"]]
    ids = [body["prompt_cache_key"] for body in server.bodies]
    assert ids[0] == ids[1] != ids[2]
    assert machine.tollway("run", "-s", ids[0], "four").code == 0
    assert [one["content"] for one in server.bodies[3]["messages"]][-3:] == ["two", "hello", "four"]
    folder = machine.home / ".local/share/tollway/sessions"
    assert {path.stem for path in folder.iterdir()} == {ids[0], ids[2]}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    elsewhere = machine.home / "elsewhere"
    elsewhere.mkdir()
    assert machine.tollway("run", "-c", "--dir", str(elsewhere), "hi").code == 1


def test_agents_and_commands(machine: Machine, server: ChatServer) -> None:
    machine.config = {
        **server.config(),
        "model": "fastrouter/nosuch",
        "agent": {"critic": {"model": "fastrouter/a/b", "prompt": "Be harsh."}},
        "command": {"review": {"template": "Review $ARGUMENTS now.", "agent": "critic"}},
    }
    assert machine.tollway("run", "--command", "review", "my", "code").code == 0
    assert server.bodies[0]["messages"] == [
        {"role": "system", "content": "Be harsh."},
        {"role": "user", "content": "Review my code now."},
    ]
    assert "no agent 'x'" in machine.tollway("run", "--agent", "x", "hi").err


def test_the_picker(machine: Machine, server: ChatServer) -> None:
    """Without a model: popular gateways first; what is typed narrows the list down."""
    server.models = [{"id": f"vendor/model-{number:02}"} for number in range(30)] + [{"id": "other/thing"}]
    house = {"house": {"name": "House", "options": {"baseURL": f"{server.url}/house", "apiKey": KEY}}}
    machine.config = {"provider": {**server.config()["provider"], **house}}
    terminal = machine.terminal("run", "hi")
    terminal.expect("Popular")
    terminal.expect("fastrouter/other/thing")
    terminal.expect("more: type a part of a name")
    terminal.expect("Model (number, or part of a name): ")
    terminal.type("thing\n")
    terminal.expect("Popular")
    terminal.expect("1  fastrouter/other/thing")
    terminal.expect("Other")
    terminal.expect("2  house/other/thing")
    terminal.expect(": ")
    terminal.type("2\n")
    terminal.expect("hello")
    assert terminal.end() == 0
    assert server.chats[0].path == "/house/chat/completions"


@pytest.mark.parametrize(("typed", "code"), [(INTERRUPT, 130), (NOTHING_MORE, 1)], ids=["ctrl-c", "ctrl-d"])
def test_the_picker_is_left_at_once(machine: Machine, server: ChatServer, typed: str, code: int) -> None:
    terminal = machine.terminal("run", "hi")
    terminal.expect("Model (number, or part of a name): ")
    terminal.type(typed)
    assert (terminal.end(), server.bodies) == (code, [])
    assert "Traceback" not in terminal.shown


def test_what_the_picker_asks_is_no_part_of_the_answer(machine: Machine, server: ChatServer) -> None:
    """`tollway run hi | cat`, by a person."""
    ours, theirs = os.pipe()
    terminal = machine.terminal("run", "hi", stdout=theirs)
    os.close(theirs)
    terminal.expect("Model (number, or part of a name): ")
    terminal.type("1\n")
    assert terminal.end() == 0
    with os.fdopen(ours, "rb") as answer:
        assert answer.read() == b"hello\n"
    assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("environ", "escapes"),
    [({}, {"2", "31", "0"}), ({"NO_COLOR": "1"}, {"2", "0"}), ({"TERM": "dumb"}, set())],
    ids=["colors", "none wanted", "dumb"],
)
def test_colors_are_what_the_terminal_and_the_person_want(
    machine: Machine, server: ChatServer, environ: dict[str, str], escapes: set[str]
) -> None:
    server.answer(refuses(402, {"error": {"message": "no money"}}))
    terminal = machine.terminal(*ASK, "hi", **{"TERM": "xterm-256color", **environ})
    assert terminal.end() == 1
    assert "no money" in terminal.shown
    assert set(re.findall(r"\x1b\[([0-9;]*)m", terminal.shown)) - {"?25"} == escapes


def test_a_small_model(machine: Machine, server: ChatServer) -> None:
    """`small_model` of the configuration, without thought; `-m` and `--variant` have the last word."""
    server.models = [{"id": "a/b"}, {"id": "google/c"}]
    machine.config = {**server.config(), "model": "fastrouter/a/b", "small_model": "fastrouter/google/c"}
    for words in (["--small"], ["--small", "-m", "fastrouter/a/b"], ["--small", "--variant", "low"], []):
        assert machine.tollway("run", *words, "hi").code == 0
    assert [(body["model"], body.get("reasoning")) for body in server.bodies] == [
        ("google/c", {"enabled": False}),
        ("a/b", {"effort": "minimal"}),
        ("google/c", {"effort": "low"}),
        ("a/b", None),
    ]


def test_without_a_person_the_first_model_is_taken(machine: Machine, server: ChatServer) -> None:
    server.models = [{"id": "z/z"}, {"id": "b/b"}]
    assert machine.tollway("run", "hi").code == 0
    assert server.bodies[0]["model"] == "b/b"
    machine.config = {**server.config(), "model": "fastrouter/z/z"}
    assert machine.tollway("run", "hi").code == 0
    assert server.bodies[1]["model"] == "z/z"


def test_a_reader_that_goes_away_stops_the_gateway(machine: Machine, server: ChatServer) -> None:
    """`tollway run … | head -1`."""
    server.answer(Answer([delta(content="hello\n"), *[0.05, delta(content="more\n")] * 400, STALLS]))
    process = subprocess.Popen(
        [sys.executable, "-m", "tollway", *ASK, "hi"],
        cwd=machine.home,
        env={**plain_environment(), **machine._all({})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout
    os.read(process.stdout.fileno(), 6)
    process.stdout.close()
    assert process.wait(60) == 1
    assert server.hung_up.wait(10)
    assert process.stderr
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()


def test_what_a_gateway_proposes(machine: Machine, server: ChatServer) -> None:
    server.models = [{"id": "a/a", "context_length": 9}, {"id": "b/b", "context_length": 9}]
    server.defaults = {"defaultModel": "b/b"}
    machine.config = None
    assert machine.tollway("run", "hi", TOLLWAY_API_URL=server.url).code == 0
    assert server.bodies[0]["model"] == "b/b"
    assert [asked.path for asked in server.asked][1] == "/api/defaults"
