"""The `tollway` command. Each command's module is imported only when it is called, so that each starts fast."""

import sys
from importlib import import_module
from typing import Final

import typer

# command → (module, attribute, is a group of commands)
COMMANDS: Final[dict[str, tuple[str, str, bool]]] = {
    "serve": ("tollway.cli.serve", "serve", False),
    "demo": ("tollway.cli.demo", "demo", False),
    "sim": ("tollway.cli.sim", "sim", False),
    "sync": ("tollway.cli.sync", "sync", False),
    "migrate": ("tollway.cli.migrate", "migrate", False),
    "users": ("tollway.cli.users", "app", True),
    "orgs": ("tollway.cli.organizations", "app", True),
    "keys": ("tollway.cli.keys", "app", True),
    "llms": ("tollway.cli.llms", "app", True),
    "upstreams": ("tollway.cli.upstreams", "app", True),
    "byok": ("tollway.cli.byok", "app", True),
    "secrets": ("tollway.cli.secrets", "app", True),
    "credits": ("tollway.cli.credits", "app", True),
    "subscriptions": ("tollway.cli.subscriptions", "app", True),
    "usage": ("tollway.cli.usage", "usage", False),
    "reconcile": ("tollway.cli.reconcile", "reconcile", False),
    "explain": ("tollway.cli.explain", "explain", False),
    "ledger": ("tollway.cli.ledger", "app", True),
    "alerts": ("tollway.cli.alerts", "alerts", False),
    "auth": ("tollway.cli.auth", "app", True),
    "providers": ("tollway.cli.auth", "app", True),
    "models": ("tollway.cli.models", "models", False),
    "run": ("tollway.cli.run", "run", False),
}


def build(names: list[str]) -> typer.Typer:
    """The application with the named commands."""
    root = typer.Typer(
        help="Tollway: a self-hosted LLM gateway.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    root.callback()(_root)
    for name in names:
        module, attribute, is_group = COMMANDS[name]
        loaded = getattr(import_module(module), attribute)
        if is_group:
            root.add_typer(loaded, name=name)
        else:
            root.command(name)(loaded)
    return root


def _root() -> None:
    """One URL for every model, and every micro-dollar accounted for."""


def main() -> None:
    """Entry point of the `tollway` executable."""
    first = sys.argv[1] if len(sys.argv) > 1 else ""
    build([first] if first in COMMANDS else list(COMMANDS))()
