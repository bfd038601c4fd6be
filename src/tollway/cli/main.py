"""The `tollway` command. A command's module is imported only when it is called, so that each starts fast.

What `tollway --help` shows of it is therefore written here; a test compares it with what the command says itself.
"""

from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from tollway import __version__
from tollway.cli.parameters import read_plainly


class Place(NamedTuple):
    """Where a command is: a function, or an application that is a group of commands. `summary`: its first line."""

    module: str
    attribute: str
    summary: str


COMMANDS: Final[dict[str, Place]] = {
    "serve": Place(
        "tollway.cli.serve",
        "serve",
        "Serve the gateway. Settings: tollway.toml and TOLLWAY_* (docs/reference/settings.md).",
    ),
    "demo": Place(
        "tollway.cli.demo",
        "demo",
        "Start a stand-in upstream and a gateway, send two requests, show what they cost, and keep serving.",
    ),
    "sim": Place(
        "tollway.cli.sim",
        "sim",
        "Run a stand-in upstream: an OpenRouter-compatible server of scripted models that costs nothing.",
    ),
    "sync": Place(
        "tollway.cli.sync",
        "sync",
        "Read models and prices from OpenRouter and Vercel, and show what changes. Exit code 1 when nothing is stored.",
    ),
    "migrate": Place(
        "tollway.cli.migrate",
        "migrate",
        "Create or update the tables. Safe to run again, and by several processes at once.",
    ),
    "doctor": Place(
        "tollway.cli.doctor",
        "doctor",
        "Check this installation: settings, folders, database, master keys, catalog, journals, port, and more.",
    ),
    "users": Place("tollway.cli.users", "app", "Users."),
    "orgs": Place("tollway.cli.organizations", "app", "Organizations."),
    "keys": Place("tollway.cli.keys", "app", "API keys."),
    "llms": Place("tollway.cli.llms", "app", "Models of the operator for organizations."),
    "upstreams": Place("tollway.cli.upstreams", "app", "Custom upstreams of users and organizations."),
    "byok": Place("tollway.cli.byok", "app", "Keys of users and organizations for inference providers."),
    "secrets": Place("tollway.cli.secrets", "app", "Master keys, and the stored secrets under them."),
    "credits": Place("tollway.cli.credits", "app", "Credits of users and organizations."),
    "subscriptions": Place(
        "tollway.cli.subscriptions", "app", "Subscriptions, whose tiers the preset names, and payments for them."
    ),
    "usage": Place(
        "tollway.cli.usage", "usage", "Show what a user or an organization used, newest day first, then what cost most."
    ),
    "reconcile": Place(
        "tollway.cli.reconcile",
        "reconcile",
        "Settle journals of dead workers, correct estimates from the upstreams' own records, and check the books.",
    ),
    "explain": Place(
        "tollway.cli.explain",
        "explain",
        "Show how a request was routed, priced, held and charged, from stored facts alone.",
    ),
    "ledger": Place("tollway.cli.ledger", "app", "Check the books."),
    "alerts": Place(
        "tollway.cli.alerts",
        "alerts",
        "Show the models that alerts watch, their baselines, and their burn rates in each window. Tells nobody.",
    ),
    "auth": Place("tollway.cli.auth", "app", "Keys of the providers that you use directly from this machine."),
    "providers": Place("tollway.cli.auth", "app", "Keys of the providers that you use directly from this machine."),
    "models": Place(
        "tollway.cli.models",
        "models",
        "List the models of every provider that is connected, or of the one that is named.",
    ),
    "run": Place("tollway.cli.run", "run", "Ask a model, and see its answer as it comes."),
}


class LazyGroup(TyperGroup):
    """Lists COMMANDS without loading them; the one that is called is loaded then."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands.update({name: TyperCommand(name, help=place.summary) for name, place in COMMANDS.items()})
        read_plainly(self)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, listed, rest = super().resolve_command(ctx, args)
        return name, load(name) if name else listed, rest


def load(name: str) -> Any:
    """The command, or the group of them, that COMMANDS calls so."""
    place = COMMANDS[name]
    found = getattr(import_module(place.module), place.attribute)
    if not isinstance(found, typer.Typer):
        alone = typer.Typer(add_completion=False)
        alone.command(name)(found)
        found = alone
    command = typer.main.get_command(found)
    command.name = name
    read_plainly(command)
    return command


def application() -> typer.Typer:
    """All of it."""
    root = typer.Typer(
        cls=LazyGroup,
        help="Tollway: a self-hosted LLM gateway.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    root.callback()(_root)
    return root


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tollway {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """One URL for every model, and every micro-dollar accounted for."""


def main() -> None:
    """Entry point of the `tollway` executable."""
    application()()
