"""`tollway demo`: a stand-in upstream and a gateway here, one streamed and one plain request, and the bill."""

import asyncio
import json
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.table import Table

from tollway.admin.credits import NewCredit, Owner, add_credit
from tollway.admin.keys import NewKey, create_key
from tollway.admin.users import NewUser, create_user
from tollway.billing.ledger import BudgetKind, BudgetRef
from tollway.cli.children import Child, ChildError
from tollway.cli.output import refuse
from tollway.clock import utc_now
from tollway.errors import Problem
from tollway.money import format_usd
from tollway.settings import Settings, load, provider_keys_set
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.database import Database, open_database
from tollway.storage.sql.usage import SqlUsage, UsageRow

CREDIT: Final = 5_000_000  # micro-dollars
MODEL: Final = "sim/story"
PORT: Final = 8788
SETTLED_PAUSE_S: Final = 0.05
SETTLED_TRIES: Final = 100

_SETTINGS: Final = """\
listen = "127.0.0.1:{port}"
state_dir = "{folder}"
database_url = "sqlite:///{folder}/tollway.db"

[providers.sim]
kind = "compatible"
base_url = "{sim_url}/v1"
api_key = "sk-any-key-will-do"
reports_cost = true

[[models]]
id = "sim/story"
name = "Stand-in: story"
provider = "sim"
prompt_usd_per_million = "0.5"
completion_usd_per_million = "1.5"

[[models]]
id = "sim/echo"
name = "Stand-in: echo"
provider = "sim"
prompt_usd_per_million = "0.1"
completion_usd_per_million = "0.4"

[[models]]
id = "sim/toolsmith"
name = "Stand-in: tool calls"
provider = "sim"
prompt_usd_per_million = "0.5"
completion_usd_per_million = "2"
"""


@dataclass(frozen=True, slots=True)
class Customer:
    """The demonstration's user; `key` is shown to the person at the terminal, who owns this machine."""

    user_id: str
    key: str


Once = Annotated[bool, typer.Option("--once", help="End after the demonstration instead of serving on.")]


def demo(once: Once = False) -> None:
    """Start a stand-in upstream and a gateway, send two requests, show what they cost, and keep serving."""
    for name in (signal.SIGINT, signal.SIGTERM):  # either way the children are stopped and the folder is removed
        signal.signal(name, signal.default_int_handler)
    console = Console(highlight=False, soft_wrap=True)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tollway-demo-")))
        try:
            url, gateway, config = _start(stack, folder, console)
        except ChildError as error:
            refuse(str(error))
        settings = load(config, environ={})
        customer = asyncio.run(_create_customer(settings))
        console.print(f"[bold]2.[/] A user with {format_usd(CREDIT)} of credit and an API key.\n")
        _demonstrate(console, url, settings, customer)
        _invite(console, url, customer)
        if not once:
            try:
                console.print("[dim]Serving until Ctrl-C.[/]")
                gateway.wait()
            except KeyboardInterrupt:
                console.print("\nStopping.")


def _start(stack: ExitStack, folder: Path, console: Console) -> tuple[str, Child, Path]:
    sim = Child("the stand-in", ["tollway.sim", "--listen", "127.0.0.1:0"], folder / "sim.log")
    stack.callback(sim.stop)
    sim_url = sim.wait_for("listening on ")
    config = folder / "tollway.toml"
    config.write_text(_SETTINGS.format(port=_free_port(), folder=folder, sim_url=sim_url))
    gateway = Child("the gateway", ["tollway", "serve"], folder / "gateway.log", {"TOLLWAY_CONFIG": str(config)})
    stack.callback(gateway.stop)
    url = gateway.wait_for("Tollway serves on ")
    console.print(f"[bold]1.[/] A stand-in upstream on {sim_url} and the gateway on {url}.")
    for name, provider in provider_keys_set().items():
        console.print(f"   {name} is set: the models of {provider} are served too, with real charges there.")
    return url, gateway, config


def _free_port() -> int:
    """The usual port, or any when it is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return 0
    return PORT


async def _create_customer(settings: Settings) -> Customer:
    database = open_database(settings.database_url, pool_size=1)
    try:
        store, now = SqlAdmin(database), utc_now()
        user = await create_user(store, NewUser("demo@example.com", "Demo"), now)
        if isinstance(user, Problem):
            refuse(user.detail)
        made = await create_key(store, NewKey(user.id, label="demo"), settings.pepper(), now)
        credit = NewCredit(Owner(user=user.id), CREDIT, is_free=True, description="Demonstration")
        credited = await add_credit(store, credit, now)
        if isinstance(made, Problem) or isinstance(credited, Problem):
            refuse("the demonstration's account could not be made")
        return Customer(user.id, made.key)
    finally:
        await database.close()


def _demonstrate(console: Console, url: str, settings: Settings, customer: Customer) -> None:
    asyncio.run(_one(console, url, settings, customer, "3. A streamed request", stream=True))
    asyncio.run(_one(console, url, settings, customer, "4. A plain request", stream=False))


async def _one(console: Console, url: str, settings: Settings, customer: Customer, title: str, stream: bool) -> None:
    database = open_database(settings.database_url, pool_size=1)
    try:
        before = await _balance(database, customer)
        console.print(f"[bold]{title}[/] to [cyan]{MODEL}[/]:")
        request_id = _send(console, url, customer, stream)
        row = await _in_the_books(database, request_id)
        after = await _balance(database, customer)
    finally:
        await database.close()
    _show_bill(console, row, before, after)


async def _in_the_books(database: Database, request_id: str) -> UsageRow:
    """The request's row. The journal has it before the answer ends; the books get it with the next batch."""
    for _ in range(SETTLED_TRIES):
        row = await SqlUsage(database).find(request_id)
        if row:
            return row
        await asyncio.sleep(SETTLED_PAUSE_S)
    return refuse(f"request {request_id} is not in the books")


async def _balance(database: Database, customer: Customer) -> int:
    balance = await SqlAdmin(database).account_balance(BudgetRef(BudgetKind.USER, customer.user_id))
    return balance.balance_microdollars


def _send(console: Console, url: str, customer: Customer, stream: bool) -> str:
    """Send one request over real HTTP, show the answer as it comes, and return the request id."""
    body = {"model": MODEL, "messages": [{"role": "user", "content": "Tell me about the toll."}], "stream": stream}
    if stream:
        body["sim"] = {"delay_ms": 25}  # the stand-in would be too fast to watch
    connection = HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        headers = {"Authorization": f"Bearer {customer.key}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        answer = connection.getresponse()
        if answer.status != 200:
            refuse(f"the gateway answered {answer.status}: {answer.read().decode(errors='replace')}")
        console.print("   ", end="")
        for piece in _pieces(answer, stream):
            console.print(f"[green]{piece}[/]", end="")
        console.print()
        return answer.headers["x-request-id"]
    finally:
        connection.close()


def _pieces(answer: HTTPResponse, stream: bool) -> Iterator[str]:
    if not stream:
        yield str(json.loads(answer.read())["choices"][0]["message"]["content"])
        return
    for line in answer:
        data = line.removeprefix(b"data: ").strip()
        if line.startswith(b"data: ") and data != b"[DONE]":
            event: dict[str, Any] = json.loads(data)
            for choice in event["choices"]:
                yield choice["delta"].get("content") or ""


def _show_bill(console: Console, row: UsageRow, before: int, after: int) -> None:
    prompt, completion = row.prompt_tokens * row.prompt_usd, row.completion_tokens * row.completion_usd
    total = prompt + completion
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    reported = row.reported_cost_microdollars
    for name, value in (
        ("request id", row.id),
        ("route", f"{row.provider_id} → {row.upstream_model}"),
        ("tokens", f"{row.prompt_tokens} prompt + {row.completion_tokens} completion"),
        (
            "arithmetic",
            f"{row.prompt_tokens} × ${row.prompt_usd:f} + {row.completion_tokens} × ${row.completion_usd:f}"
            f" = ${total:f}  ({row.price_version})",
        ),
        ("reported", "nothing" if reported is None else f"{format_usd(reported)} by the upstream"),
        ("charged", f"{format_usd(row.cost_microdollars)}  ({row.basis}; held {format_usd(row.hold_microdollars)})"),
        ("balance", f"{format_usd(before)} → {format_usd(after)}"),
    ):
        table.add_row(f"   {name}", value)
    console.print(table)
    console.print()


def _invite(console: Console, url: str, customer: Customer) -> None:
    console.print("[bold]Try it yourself:[/]\n")
    message = '{"model": "sim/echo", "messages": [{"role": "user", "content": "hello"}]}'
    lines = (
        f"curl -sN {url}/v1/chat/completions \\\n"
        f"  -H 'Authorization: Bearer {customer.key}' \\\n"
        f"  -H 'Content-Type: application/json' -d '{message}'\n",
        "from openai import OpenAI\n"
        f'client = OpenAI(base_url="{url}/v1", api_key="{customer.key}")\n'
        'stream = client.chat.completions.create(model="sim/story", stream=True,\n'
        '    messages=[{"role": "user", "content": "hello"}])\n'
        'print(*(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices), sep="")\n',
    )
    for text in lines:
        typer.echo(text)
