"""What `tollway run` is given: words, standard input, files, and the session it goes on with."""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from tollway.client.configuration import ClientConfig
from tollway.client.errors import ClientError
from tollway.client.prompt import Attachment, as_text, content_of, filled_template, message_text
from tollway.client.session import Session, session_id_of, title_of
from tollway.storage.client.session_files import SessionFiles
from tollway.storage.client.working_folder import Found, WorkingFolder, read_file

_PIPED_BYTES_MAX: Final = 16 * 1024**2
_FILE_BYTES_MAX: Final = 20 * 1024**2
_PIPE_NAME: Final = "standard input"


class Inputs(Struct, frozen=True):
    """The options as they were given; texts are empty where they were not."""

    words: Sequence[str]
    files: Sequence[str]
    agent: str
    command: str
    model: str
    is_continued: bool
    session_id: str
    is_forked: bool
    title: str
    folder: str
    is_small: bool

    def enter_folder(self) -> None:
        """From here on it is the working folder. Raises ClientError."""
        if self.folder:
            try:
                os.chdir(self.folder)
            except OSError as error:
                raise ClientError(f"{self.folder}: {error.strerror}") from None

    def working_folder(self, environ: Mapping[str, str], private: Sequence[Path]) -> WorkingFolder:
        """private: where keys and sessions are, which no tool reads unasked."""
        return WorkingFolder(Path.cwd(), Path(environ.get("HOME") or Path.home()), private)


class Question(Struct, frozen=True):
    """`messages` end with the one that is asked now. `model`: `provider/model`; empty: nobody named one."""

    session: Session
    messages: list[dict[str, Any]]
    model: str


def read_question(inputs: Inputs, config: ClientConfig, sessions: SessionFiles, uuid: str, now: int) -> Question:
    """Reads standard input where it is no terminal. Raises ClientError. now: unix seconds."""
    command = None
    if inputs.command:
        command = config.command.get(inputs.command)
        if command is None:
            raise ClientError(f"there is no command {inputs.command!r} in the configuration")
    agent_name = inputs.agent or (command.agent if command else "")
    agent = config.agent.get(agent_name)
    if agent_name and agent is None:
        raise ClientError(f"there is no agent {agent_name!r} in the configuration")
    before = _session_before(inputs, sessions)
    piped, attachments = _piped()
    words = [filled_template(command.template, " ".join(inputs.words))] if command else inputs.words
    attachments += [_attached(path) for path in inputs.files]
    text = message_text(words, piped)
    session_id = session_id_of(uuid)
    if before is None:
        session = Session(session_id, str(Path.cwd()), "", inputs.title or title_of(text), now, now)
        system = [{"role": "system", "content": agent.prompt}] if agent and agent.prompt else []
    else:
        session, system = before.forked(session_id, now) if inputs.is_forked else before, []
    small_model = config.small_model if inputs.is_small else ""
    model = inputs.model or small_model or (command.model if command else "") or (agent.model if agent else "")
    asked = {"role": "user", "content": content_of(text, attachments)}
    return Question(session, [*system, *session.messages, asked], model or session.model or config.model)


def _session_before(inputs: Inputs, sessions: SessionFiles) -> Session | None:
    if inputs.session_id:
        return sessions.read(inputs.session_id)
    if inputs.is_continued:
        found = sessions.last(str(Path.cwd()))
        if found is None:
            raise ClientError("there is no session in this folder to go on with")
        return found
    if inputs.is_forked:
        raise ClientError("--fork needs --continue or --session")
    return None


def _piped() -> tuple[str, list[Attachment]]:
    """Standard input as text; as a file where it is something else."""
    if sys.stdin is None or sys.stdin.isatty():
        return "", []
    data = sys.stdin.buffer.read(_PIPED_BYTES_MAX + 1)
    if len(data) > _PIPED_BYTES_MAX:
        raise ClientError(f"standard input is larger than {_PIPED_BYTES_MAX // 1024**2} MiB")
    text = as_text(data)
    return (text, []) if text is not None else ("", [Attachment(_PIPE_NAME, data)])


def _attached(path: str) -> Attachment:
    return Attachment(path, read_file(Found(Path(path).expanduser().resolve(), is_inside=True), _FILE_BYTES_MAX))
