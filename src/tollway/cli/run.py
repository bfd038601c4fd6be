"""`tollway run`: one question to a model, from the terminal, over the gateway that has it.

Everything that is not needed to send the question is loaded while its answer is awaited.
"""

import asyncio
import sys
from enum import StrEnum
from typing import Annotated, Final, NoReturn

import typer

from tollway.cli.client_session import Session as Machine
from tollway.cli.client_session import give_up, open_session
from tollway.cli.run_displays import JsonDisplay, PlainDisplay, TerminalDisplay, write_line
from tollway.cli.run_inputs import Inputs, Question, read_question
from tollway.cli.run_model import choose_model
from tollway.cli.run_tools import FileTools
from tollway.client.chat_request import ChatRequests
from tollway.client.errors import ClientError
from tollway.client.listing_text import has_prices
from tollway.client.model_choice import Choice
from tollway.client.run_events import event
from tollway.client.session import Session
from tollway.client.turns import Told, Turns
from tollway.clock import unix_seconds
from tollway.ids import jitter, new_id
from tollway.storage.client.session_files import SessionFiles
from tollway.upstream.chat_call import ChatCalls
from tollway.upstream.model_list import open_client

INTERRUPTED: Final = 130


class Format(StrEnum):
    """What `--format` takes."""

    DEFAULT = "default"
    JSON = "json"


class Tool(StrEnum):
    """What `--tool` takes."""

    READ = "read"


def run(
    message: Annotated[list[str] | None, typer.Argument(help="The question; standard input follows it.")] = None,
    model: Annotated[str, typer.Option("-m", "--model", help="provider/model, as `tollway models` lists them.")] = "",
    file: Annotated[list[str] | None, typer.Option("-f", "--file", help="Image, PDF or text by path; again.")] = None,
    tool: Annotated[list[Tool] | None, typer.Option(help="A tool that the model may use.")] = None,
    auto: Annotated[bool, typer.Option("--auto", help="Allow tools everything, without asking.")] = False,
    output: Annotated[Format, typer.Option("--format", help="json: events, one per line.")] = Format.DEFAULT,
    continued: Annotated[bool, typer.Option("-c", "--continue", help="Go on with the last session here.")] = False,
    session: Annotated[str, typer.Option("-s", "--session", help="Go on with this session.")] = "",
    fork: Annotated[bool, typer.Option("--fork", help="Go on with a copy of it.")] = False,
    title: Annotated[str, typer.Option(help="Title of the session; by default its first line.")] = "",
    agent: Annotated[str, typer.Option(help="An agent of the configuration: model and system prompt.")] = "",
    command: Annotated[str, typer.Option(help="A command of the configuration, filled in with the message.")] = "",
    small: Annotated[
        bool, typer.Option("--small", help="For titles and summaries: `small_model`, with as little thought as it can.")
    ] = False,
    variant: Annotated[str, typer.Option(help="Reasoning effort, on, off, or a variant of the model's own.")] = "",
    thinking: Annotated[
        bool | None, typer.Option("--thinking/--no-thinking", help="Show reasoning; by default on a terminal.")
    ] = None,
    folder: Annotated[str, typer.Option("--dir", help="Working folder, instead of this one.")] = "",
) -> None:
    """Ask a model, and see its answer as it comes.

    Tokens and cost follow on standard error. Ctrl-C stops the answer, and the gateway, at once. Exit code 0 when the
    model has answered, 1 after any error, 130 when interrupted.
    """
    inputs = Inputs(message or [], file or [], agent, command, model, continued, session, fork, title, folder, small)
    try:
        is_good = _run(inputs, output, variant, thinking, bool(tool), auto)
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    except ClientError as error:
        _refuse(str(error), output)
    if not is_good:
        raise typer.Exit(1)


def _run(inputs: Inputs, output: Format, variant: str, thinking: bool | None, has_tools: bool, auto: bool) -> bool:
    inputs.enter_folder()
    machine = open_session()
    sessions = SessionFiles(machine.places.data)
    has_terminal = sys.stdin.isatty() and sys.stderr.isatty()
    question = read_question(inputs, machine.config, sessions, new_id(), unix_seconds())
    folder = inputs.working_folder(machine.environ, (machine.places.data, machine.places.config))
    tools = FileTools(folder, is_on=has_tools, may_read_all=auto, may_ask=has_terminal and output is Format.DEFAULT)
    told = Told(question.messages)
    running = _Running(machine, question, told, output, thinking)
    try:
        return asyncio.run(running.answer(tools, variant, is_small=inputs.is_small, may_pick=has_terminal))
    except KeyboardInterrupt:
        told.is_interrupted = True
        raise
    finally:
        running.finish(sessions)


class _Running:
    """One question under way. What is known of it is shown and kept however it ends."""

    def __init__(self, machine: Machine, question: Question, told: Told, output: Format, thinking: bool | None) -> None:
        self._machine = machine
        self._question = question
        self._told = told
        self._output = output
        self._thinking = thinking
        self._asked = len(told.messages)
        self._choice: Choice | None = None
        self._display: PlainDisplay | TerminalDisplay | JsonDisplay | None = None

    async def answer(self, tools: FileTools, variant: str, *, is_small: bool, may_pick: bool) -> bool:
        """False: it failed, and that was shown. Raises ClientError before anything was asked."""
        with open_client() as client:
            choice = await choose_model(self._machine, client, self._question.model, may_ask=may_pick)
            display = _display(choice, self._question.session, self._output, self._thinking)
            requests = ChatRequests(
                choice.gateway,
                choice.model,
                self._question.session.id,
                new_id,
                tools=tools.definitions,
                variant=variant,
                is_small=is_small,
            )
            turns = Turns(
                ChatCalls(client, choice.gateway, display.prepare),
                requests,
                choice.model.cost if has_prices(choice.gateway, choice.model.id) else None,
                display,
                tools,
                asyncio.sleep,
                lambda: jitter(0, 1),
            )
            self._choice, self._display = choice, display
            return await turns.run(self._told)

    def finish(self, sessions: SessionFiles) -> None:
        """Footer and session; nothing where nothing was asked."""
        if self._choice is None or self._display is None:
            return
        model = str(self._choice.reference)
        self._display.finished(self._told, model)
        if len(self._told.messages) > self._asked:
            sessions.write(self._question.session.with_messages(self._told.messages, model, unix_seconds()))


def _display(
    choice: Choice, session: Session, output: Format, thinking: bool | None
) -> PlainDisplay | TerminalDisplay | JsonDisplay:
    if output is Format.JSON:
        return JsonDisplay(session.id, str(choice.reference), with_reasoning=bool(thinking))
    if sys.stdout.isatty():
        return TerminalDisplay(choice.gateway.name, with_reasoning=thinking is not False)
    return PlainDisplay(choice.gateway.name, with_reasoning=bool(thinking))


def _refuse(why: str, output: Format) -> NoReturn:
    if output is Format.JSON:
        write_line(event("error", message=why))
        raise typer.Exit(1)
    give_up(why)
