"""What `tollway run` shows: plain text through a pipe, events as JSON, and Markdown on a terminal."""

import sys
from functools import cache
from typing import TYPE_CHECKING, Protocol

import typer

from tollway.client.answer_reader import Piece, Reasoning, ToolCall
from tollway.client.run_events import event, step_finish
from tollway.client.spending import Spent, footer, tokens_line
from tollway.client.terminal_text import for_terminal
from tollway.client.turns import Told
from tollway.environment import environment

if TYPE_CHECKING:
    from tollway.cli.run_markdown import MarkdownScreen
    from tollway.client.turns import Display


class PlainDisplay:
    """Only the answer on standard output; everything else is on standard error. with_reasoning: that too, there."""

    def __init__(self, gateway_name: str, *, with_reasoning: bool) -> None:
        self._gateway_name = gateway_name
        self._with_reasoning = with_reasoning
        self._last = ""

    def prepare(self) -> None:
        """Called when a request is on its way."""

    def step_started(self) -> None:
        pass

    def piece(self, piece: Piece) -> None:
        if isinstance(piece, Reasoning):
            if self._with_reasoning:
                _dimly(piece.text, end="")
            return
        self._last = piece.text
        sys.stdout.write(piece.text)
        sys.stdout.flush()

    def tool_used(self, call: ToolCall, result: str) -> None:
        _tell_tool(call, result)

    def step_finished(self, reason: str, spent: Spent, pieces: int) -> None:  # noqa: ARG002  (what the others show)
        if self._last and not self._last.endswith("\n"):
            sys.stdout.write("\n")
            sys.stdout.flush()
        self._last = ""

    def waiting(self, why: str, seconds: float) -> None:
        _dimly(f"{why}; trying again in {seconds:.0f} s")

    def failed(self, why: str) -> None:
        _fail(why)

    def finished(self, told: Told, model: str) -> None:
        """The footer."""
        _tell_spent(told, model, self._gateway_name)


class TerminalDisplay:
    """Reasoning dimmed, the answer as Markdown. What renders it is loaded while the model thinks."""

    def __init__(self, gateway_name: str, *, with_reasoning: bool) -> None:
        self._gateway_name = gateway_name
        self._with_reasoning = with_reasoning
        self._screen: MarkdownScreen | None = None

    def prepare(self) -> None:
        """Called when a request is on its way: now nobody waits for the time it takes."""
        if self._screen is None:
            from tollway.cli.run_markdown import MarkdownScreen  # lazy: loaded while the model thinks

            self._screen = MarkdownScreen()

    def step_started(self) -> None:
        pass

    def piece(self, piece: Piece) -> None:
        if self._screen is None:
            return
        if not isinstance(piece, Reasoning):
            self._screen.answer(for_terminal(piece.text))
        elif self._with_reasoning:
            self._screen.reasoning(for_terminal(piece.text))

    def tool_used(self, call: ToolCall, result: str) -> None:
        _tell_tool(call, result)

    def step_finished(self, reason: str, spent: Spent, pieces: int) -> None:  # noqa: ARG002  (what the others show)
        if self._screen:
            self._screen.end()

    def waiting(self, why: str, seconds: float) -> None:
        _dimly(f"{why}; trying again in {seconds:.0f} s (Ctrl-C gives up)")

    def failed(self, why: str) -> None:
        _fail(why)

    def finished(self, told: Told, model: str) -> None:
        """The footer."""
        _tell_spent(told, model, self._gateway_name)


class JsonDisplay:
    """Events, one line each, on standard output and nowhere else. with_reasoning: events of type `reasoning` too."""

    def __init__(self, session_id: str, model: str, *, with_reasoning: bool) -> None:
        self._session_id = session_id
        self._model = model
        self._with_reasoning = with_reasoning

    def prepare(self) -> None:
        """Called when a request is on its way."""

    def step_started(self) -> None:
        write_line(event("step_start", session=self._session_id, model=self._model))

    def piece(self, piece: Piece) -> None:
        if not isinstance(piece, Reasoning):
            write_line(event("text", text=piece.text))
        elif self._with_reasoning:
            write_line(event("reasoning", text=piece.text))

    def tool_used(self, call: ToolCall, result: str) -> None:
        write_line(event("tool_use", id=call.id, name=call.name, arguments=call.arguments, result=result))

    def step_finished(self, reason: str, spent: Spent, pieces: int) -> None:
        write_line(step_finish(reason, spent, pieces if spent.tokens is None and pieces else None))

    def waiting(self, why: str, seconds: float) -> None:
        pass

    def failed(self, why: str) -> None:
        write_line(event("error", message=why))

    def finished(self, told: Told, model: str) -> None:
        pass


class RunDisplay(Protocol):
    """A Display with a beginning and an end."""

    def prepare(self) -> None: ...

    def finished(self, told: Told, model: str) -> None: ...


def write_line(line: str) -> None:
    """One event."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _dimly(text: str, end: str = "\n") -> None:
    _, has_styles = _shades()
    typer.secho(for_terminal(text), dim=True, nl=bool(end), err=True, color=None if has_styles else False)


def _fail(why: str) -> None:
    has_colors, _ = _shades()
    typer.secho(f"Error: {why}", fg="red", err=True, color=None if has_colors else False)


@cache
def _shades() -> tuple[bool, bool]:
    """Whether colors are wanted (no-color.org), and whether the terminal has styles at all."""
    environ = environment()
    has_styles = environ.get("TERM", "") not in {"dumb", "unknown"}
    return has_styles and not environ.get("NO_COLOR"), has_styles


def _tell_tool(call: ToolCall, result: str) -> None:
    failed = result.partition("\n")[0] if result.startswith("Error:") else f"{len(result):,} characters"
    _dimly(f"{call.name} {call.arguments} → {failed}")


def _tell_spent(told: Told, model: str, gateway_name: str) -> None:
    text = footer(told.total, gateway_name)
    if told.pieces_uncounted:
        counted = tokens_line(told.total.tokens)
        text += f" · nobody counted at least {told.pieces_uncounted:,} tokens out" if counted == "-" else ""
    _dimly(f"{model} · {'interrupted · ' if told.is_interrupted else ''}{text}")


if TYPE_CHECKING:

    def _all_are_displays(one: PlainDisplay, two: TerminalDisplay, three: JsonDisplay) -> tuple[Display, ...]:
        return one, two, three
