"""The tools that a model may use from `tollway run`, and the person who is asked before it reads elsewhere."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from tollway.client.answer_reader import ToolCall
from tollway.client.errors import ClientError
from tollway.client.read_tool import DEFINITION, FILE_BYTES_MAX, READ, excerpt, read_call, refused
from tollway.client.terminal_text import for_terminal
from tollway.storage.client.working_folder import Found, WorkingFolder, read_file
from tollway.wire.json_body import JsonObject


class FileTools:
    """Implements the client's Tools. may_read_all: nobody is asked. may_ask: there is a person at a terminal."""

    def __init__(self, folder: WorkingFolder, *, is_on: bool, may_read_all: bool, may_ask: bool) -> None:
        self.definitions: Sequence[JsonObject] = (DEFINITION,) if is_on else ()
        self._folder = folder
        self._may_read_all = may_read_all
        self._may_ask = may_ask
        self._allowed: set[str] = set()

    def use(self, call: ToolCall) -> str:
        """The result for the model, whatever happens."""
        if call.name != READ or not self.definitions:
            return f"Error: there is no tool {call.name!r}."
        asked = read_call(call.arguments)
        if isinstance(asked, str):
            return asked
        try:
            found = self._folder.find(asked.path)
            if not self._may_read(found):
                return refused(asked.path)
            return excerpt(read_file(found, FILE_BYTES_MAX), asked.offset)
        except ClientError as error:
            return f"Error: {error}"

    def _may_read(self, found: Found) -> bool:
        path = str(found.path)
        if found.is_inside or self._may_read_all or path in self._allowed:
            return True
        if self._may_ask and _confirmed(path):
            self._allowed.add(path)
            return True
        return False


def _confirmed(path: str) -> bool:
    """Control characters in the name of a file could hide what is asked; then nobody is asked."""
    if for_terminal(path) != path or "\n" in path:
        return False
    sys.stdout.flush()
    with _interruptible():
        try:
            return typer.confirm(f"The model wants to read {path}, outside of the working folder. Allow it?", err=True)
        except typer.Abort:
            raise KeyboardInterrupt from None


@contextmanager
def _interruptible() -> Iterator[None]:
    """While a person is asked nothing else goes on, so Ctrl-C need not wait for its turn."""
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, kept)
