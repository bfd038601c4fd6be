"""What a scripted model says: parts made of tokens, a pure function of the request and its controls.

A token is one word with the white space behind it. Parts are lazy, so that an endless answer costs no memory.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, Literal, NamedTuple

import msgspec

from tollway.sim.control import Control, Fault
from tollway.sim.models import ScriptedModel
from tollway.sim.request import ChatRequest, Tool

Channel = Literal["reasoning", "content", "tool"]
ENDLESS: Final = 2**62
_TALE: Final = (
    "a the keeper of tollgate counted every coin and wrote it down before carts rolled on past river stone bridge "
    "while rain fell over hills lamp burned low by ledger where no sum was ever lost though night grew long"
)
_WORDS: Final = tuple(_TALE.split())
_TOKEN: Final = re.compile(r"\S+\s*|\s+")
_ARGUMENT_CHARACTERS: Final = 6
_SHORT_TOKENS: Final = 4096


class Delta(NamedTuple):
    """What one chunk adds."""

    channel: Channel
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Passage:
    """`count` tokens of one channel; `token_at(i)` is the text of the i-th."""

    channel: Channel
    count: int
    token_at: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Script:
    """A whole answer of one choice. `tool_name` is set when the tool channel is used."""

    passages: tuple[Passage, ...]
    finish_reason: str
    tokens_per_chunk: int
    tool_name: str | None = None

    @property
    def token_count(self) -> int:
        """Tokens of all passages."""
        return sum(passage.count for passage in self.passages)

    def deltas(self) -> Iterator[Delta]:
        """The chunks, each of `tokens_per_chunk` tokens; the last one of a passage may have fewer."""
        size = self.tokens_per_chunk
        for channel, count, token_at in ((p.channel, p.count, p.token_at) for p in self.passages):
            if size == 1:
                for index in range(count):
                    yield Delta(channel, token_at(index), 1)
                continue
            for start in range(0, count, size):
                end = min(start + size, count)
                yield Delta(channel, "".join(map(token_at, range(start, end))), end - start)

    def text(self, channel: Channel) -> str:
        """Everything said on one channel."""
        return "".join("".join(map(p.token_at, range(p.count))) for p in self.passages if p.channel == channel)

    def count(self, channel: Channel) -> int:
        """Tokens of one channel."""
        return sum(passage.count for passage in self.passages if passage.channel == channel)


def write_script(request: ChatRequest, model: ScriptedModel, control: Control) -> Script:
    """The answer this model gives to this request."""
    reasoning_tokens = model.reasoning_tokens if control.reasoning_tokens is None else control.reasoning_tokens
    reasoning = Passage("reasoning", reasoning_tokens, _story(control.seed + 1, reasoning_tokens))
    tool = _tool_to_call(request, model, control)
    if tool is not None and tool.function is not None:
        arguments = _arguments(control.arguments or _example_arguments(tool.function.parameters))
        script = Script((reasoning, arguments), "tool_calls", control.tokens_per_chunk, tool.function.name)
    else:
        script = Script((reasoning, _content(request, model, control)), "stop", control.tokens_per_chunk)
    return _shorten(script, request.token_limit)


def _content(request: ChatRequest, model: ScriptedModel, control: Control) -> Passage:
    tokens = _quoted_tokens(request, model, control)
    if tokens is None:
        chunks = model.chunks if control.chunks is None else control.chunks
        count = ENDLESS if control.fault is Fault.ENDLESS else chunks * control.tokens_per_chunk
        token_at = _story(control.seed, count)
    else:
        token_at = _cycle(tokens)
        count = len(tokens) if control.chunks is None else control.chunks * control.tokens_per_chunk * bool(tokens)
    return Passage("content", ENDLESS if control.fault is Fault.ENDLESS else count, token_at)


def _quoted_tokens(request: ChatRequest, model: ScriptedModel, control: Control) -> Sequence[str] | None:
    if control.text is not None:
        return _TOKEN.findall(control.text)
    if model.script == "echo":
        said = [message.text for message in request.messages if message.role == "user"]
        return _TOKEN.findall(said[-1] if said else "")
    results = [message.text for message in request.messages if message.role == "tool"]
    if model.script == "toolsmith" and results:
        return _TOKEN.findall(f'The tool answered: "{results[-1]}"')
    return None


def _cycle(tokens: Sequence[str]) -> Callable[[int], str]:
    return lambda index: tokens[index % len(tokens)]


def _story(seed: int, count: int) -> Callable[[int], str]:
    return _short_story(seed, count).__getitem__ if count <= _SHORT_TOKENS else _long_story(seed)


@lru_cache(maxsize=256)
def _short_story(seed: int, count: int) -> tuple[str, ...]:
    return tuple(map(_long_story(seed), range(count)))


def _long_story(seed: int) -> Callable[[int], str]:
    offset = seed * 2_654_435_761

    def token_at(index: int) -> str:
        mixed = (offset + index * 40_503) * 2_246_822_519 & 0xFFFFFFFF
        return _WORDS[(mixed >> 15) % len(_WORDS)] + (". " if index % 12 == 11 else " ")

    return token_at


def _tool_to_call(request: ChatRequest, model: ScriptedModel, control: Control) -> Tool | None:
    """The first function, or the one that was asked for if it is among them."""
    if model.script != "toolsmith" or any(message.role == "tool" for message in request.messages):
        return None
    wanted = control.tool
    offered = (tool for tool in request.tools or () if tool.function is not None)
    return next((tool for tool in offered if wanted is None or (tool.function and tool.function.name == wanted)), None)


def _example_arguments(parameters: dict[str, object] | None) -> str:
    return msgspec.json.encode(_example({"type": "object", **(parameters or {})})).decode()


def _arguments(text: str) -> Passage:
    pieces = [text[start : start + _ARGUMENT_CHARACTERS] for start in range(0, len(text), _ARGUMENT_CHARACTERS)]
    return Passage("tool", len(pieces), pieces.__getitem__)


def _example(schema: object) -> object:
    """A value that fits a JSON schema well enough for a demonstration."""
    if not isinstance(schema, dict):
        return "stand-in"
    if isinstance(choices := schema.get("enum"), list) and choices:
        return choices[0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties")
            return {name: _example(inner) for name, inner in properties.items()} if isinstance(properties, dict) else {}
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "array":
            return []
        case _:
            return "stand-in"


def _shorten(script: Script, limit: int | None) -> Script:
    if limit is None or script.token_count <= limit:
        return script
    passages = []
    for passage in script.passages:
        passages.append(replace(passage, count=min(passage.count, limit)))
        limit -= passages[-1].count
    return replace(script, passages=tuple(passages), finish_reason="length")
