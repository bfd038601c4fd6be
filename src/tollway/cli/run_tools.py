"""The tools that a model may use from `tollway run`, and the person who is asked before it reads elsewhere."""

from collections.abc import Sequence
from typing import Final

from tollway.cli.typed_line import typed_line
from tollway.client.answer_reader import ToolCall
from tollway.client.errors import ClientError
from tollway.client.read_tool import DEFINITION, FILE_BYTES_MAX, READ, excerpt, read_call, refused
from tollway.client.terminal_text import for_terminal
from tollway.storage.client.working_folder import Found, WorkingFolder, read_file
from tollway.wire.json_body import JsonObject

_YES: Final = frozenset({"y", "yes"})
_NO: Final = frozenset({"", "n", "no"})


class FileTools:
    """Implements the client's Tools. may_read_all: nobody is asked. may_ask: there is a person at a terminal."""

    def __init__(self, folder: WorkingFolder, *, is_on: bool, may_read_all: bool, may_ask: bool) -> None:
        self.definitions: Sequence[JsonObject] = (DEFINITION,) if is_on else ()
        self._folder = folder
        self._may_read_all = may_read_all
        self._may_ask = may_ask
        self._allowed: set[str] = set()

    async def use(self, call: ToolCall) -> str:
        """The result for the model, whatever happens."""
        if call.name != READ or not self.definitions:
            return f"Error: there is no tool {call.name!r}."
        asked = read_call(call.arguments)
        if isinstance(asked, str):
            return asked
        try:
            found = self._folder.find(asked.path)
            if not await self._may_read(found):
                return refused(asked.path)
            return excerpt(read_file(found, FILE_BYTES_MAX), asked.offset)
        except ClientError as error:
            return f"Error: {error}"

    async def _may_read(self, found: Found) -> bool:
        path = str(found.path)
        if found.is_inside or self._may_read_all or path in self._allowed:
            return True
        if self._may_ask and await _confirmed(path):
            self._allowed.add(path)
            return True
        return False


async def _confirmed(path: str) -> bool:
    """Control characters in the name of a file could hide what is asked; then nobody is asked."""
    if for_terminal(path) != path or "\n" in path:
        return False
    asked = f"The model wants to read {path}, outside of the working folder. Allow it? [y/N]: "
    while True:
        answer = await typed_line(asked)
        if answer.strip().lower() in _YES:
            return True
        if not answer or answer.strip().lower() in _NO:
            return False
