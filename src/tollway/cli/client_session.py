"""What the commands of a developer's machine start from: their configuration, credentials and gateways."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, NoReturn, Self

import typer
from msgspec import Struct

from tollway.client.configuration import ClientConfig
from tollway.client.credentials import Credentials, WellKnownCredential
from tollway.client.errors import ClientError
from tollway.client.gateways import Gateway, known_gateways
from tollway.clock import monotonic, unix_milliseconds, unix_seconds
from tollway.environment import environment
from tollway.providers.registry import load_providers
from tollway.storage.client.configuration import load_config
from tollway.storage.client.credential_file import CredentialFile
from tollway.storage.client.model_shelf import ModelShelf
from tollway.storage.client.places import Places, places_of

if TYPE_CHECKING:
    from tollway.client.model_lists import AskForList, ListAnswer, ModelLists

_OFFLINE: Final = "TOLLWAY_DISABLE_MODELS_FETCH"


class Session(Struct, frozen=True):
    """Read once, when a command starts. `gateways` are those that are enabled, `all_gateways` the others as well."""

    environ: Mapping[str, str]
    places: Places
    store: CredentialFile
    shelf: ModelShelf
    config: ClientConfig
    credentials: Credentials
    gateways: Mapping[str, Gateway]
    all_gateways: Mapping[str, Gateway]

    def __repr__(self) -> str:
        return "Session(…)"


def open_session() -> Session:
    """Ends the command with one line on stderr when a file or a setting is wrong."""
    try:
        return _open(environment())
    except ClientError as error:
        give_up(str(error))


def _open(environ: Mapping[str, str]) -> Session:
    places = places_of(environ)
    store = CredentialFile(places.credentials, environ, tell)
    credentials = store.read()
    environ = {**_from_well_known(credentials), **environ}
    config = load_config(places, environ, Path.cwd())
    everything = known_gateways(load_providers(), config, credentials, environ, unix_milliseconds(), also_disabled=True)
    return Session(
        environ=environ,
        places=places,
        store=store,
        shelf=ModelShelf(places.cache, unix_seconds),
        config=config,
        credentials=credentials,
        gateways={name: one for name, one in everything.items() if config.is_enabled(name)},
        all_gateways=everything,
    )


def _from_well_known(credentials: Credentials) -> dict[str, str]:
    """Tokens that an organization gave out for variables; what is really set comes first."""
    return {one.key: one.token for one in credentials.entries.values() if isinstance(one, WellKnownCredential)}


class Network:
    """Implements AskForList. What speaks to the network is loaded when it is first needed, for that takes longer than
    everything else a command does."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._asker: AskForList | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    async def __call__(self, gateway: Gateway, without_key: bool) -> "ListAnswer":
        if self._asker is None:
            from tollway.upstream.model_list import ListAsker, open_client  # lazy: only who asks pays for it

            self._asker = ListAsker(self._stack.enter_context(open_client()))
        return await self._asker(gateway, without_key)


def model_lists(session: Session, ask: "AskForList") -> "ModelLists":
    """Of one command: nobody is left to profit from a refresh that nobody waits for."""
    from tollway.client.model_lists import ModelLists  # lazy: `auth` asks for no lists

    return ModelLists(ask, monotonic, session.shelf, is_offline=bool(session.environ.get(_OFFLINE, "").strip("0 ")))


def tell(text: str) -> None:
    """For the person, beside what a program may read."""
    typer.echo(text, err=True)


def give_up(why: str) -> NoReturn:
    """One line on stderr, exit code 1."""
    tell(why)
    raise typer.Exit(1)


Ask = Callable[[str], str]
