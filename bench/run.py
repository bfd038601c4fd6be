"""`make bench`: nginx, the bare road and the full gateway in one interleaved run, and one table. See README.md."""

import argparse
import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from sqlalchemy import Connection, func, select

from tollway.admin.credits import NewCredit, Owner, add_credit
from tollway.admin.keys import NewKey, create_key
from tollway.admin.users import NewUser, create_user
from tollway.errors import Problem
from tollway.settings import load
from tollway.storage.sql.admin.store import SqlAdmin
from tollway.storage.sql.books import verify_books
from tollway.storage.sql.database import open_database
from tollway.storage.sql.tables import usage

HERE = Path(__file__).parent
STACK_CORE, LOAD_CORE = "0", "1"
CREDIT = 10**12  # micro-dollars: a million USD, so that money is never what ends the run
LITTLE, BIG = 600, 100_000  # request bytes
CONNECTIONS = 64
ANSWER_COST = 780  # micro-dollars, of every answer of the origins
RATE = 1_000  # requests a second of the latency rows
SETTLED_WITHIN_S = 30

_NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx-{name}.pid; error_log {folder}/nginx-{name}.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; client_body_temp_path {folder}/body-{name}; proxy_temp_path {folder}/proxy-{name};
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  keepalive_requests 100000000; client_max_body_size 64m; client_body_buffer_size 1m;
  {http}
}}
"""
_STATIC = """server {{ listen 127.0.0.1:{port} backlog=4096; default_type application/json;
  location / {{ client_body_in_single_buffer on; return 200 '{body}'; }} }}"""
_PROXY = """upstream origin {{ server 127.0.0.1:{origin}; keepalive 2048; keepalive_requests 100000000; }}
server {{ listen 127.0.0.1:{port} backlog=4096;
  location / {{ proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
                proxy_request_buffering on; }} }}"""
_TOML = """
listen = "127.0.0.1:{port}"
state_dir = "{folder}"
database_url = "sqlite:///{folder}/bench.db"
[limits]
in_flight_per_account = 100000
in_flight_per_key = 100000
connections = 40000
connections_per_address = 40000
in_flight = 40000
upstream_in_flight = 40000
upstream_connecting = 2000
[providers.bench]
kind = "compatible"
base_url = "http://127.0.0.1:{origin}/v1"
api_key = "sk-bench"
reports_cost = true
[[models]]
id = "bench/model"
provider = "bench"
prompt_usd_per_million = "1.5"
completion_usd_per_million = "6"
"""


@dataclass
class Stack:
    """One program under test."""

    name: str
    port: int
    pids: list[int]
    headers: dict[str, str] = field(default_factory=dict)
    home: Path | None = None  # of a full gateway
    answered: int = 0  # answers that the load saw whole
    cut: int = 0  # requests that the load may have left under way

    def cpu_s(self) -> float:
        """CPU seconds used so far by all its threads."""
        total = 0
        for pid in self.pids:
            for task in Path(f"/proc/{pid}/task").iterdir():
                total += int((task / "schedstat").read_text().split()[0])
        return total / 1e9

    def resident_mb(self) -> float:
        pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in self.pids)
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@contextmanager
def running(core: str, *command: str, environment: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        ["taskset", "-c", core, *command], stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


def wait_line(process: subprocess.Popen[str], start: str) -> str:
    assert process.stdout
    for line in process.stdout:
        if line.startswith(start):
            return line
    raise RuntimeError(f"{process.args} ended before it was ready")


def wait_port(port: int) -> None:
    import socket

    for _ in range(400):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on {port}")


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def nginx(stack: ExitStack, folder: Path, name: str, core: str, http: str, port: int) -> list[int]:
    config = folder / f"{name}.conf"
    config.write_text(_NGINX.format(folder=folder, name=name, http=http))
    process = stack.enter_context(running(core, "nginx", "-c", str(config), "-p", str(folder)))
    wait_port(port)
    return children(process.pid)


def start_stacks(stack: ExitStack, folder: Path, origins: tuple[int, int], names: list[str]) -> list[Stack]:
    """Each stack twice: in front of the static origin (JSON) and of the streaming one."""
    found = []
    port = 18100
    for kind, origin in zip(("json", "stream"), origins, strict=True):
        for name in names:
            port += 1
            found.append(start_stack(stack, folder, f"{name}:{kind}", name, port, origin))
    return found


def start_stack(stack: ExitStack, folder: Path, label: str, name: str, port: int, origin: int) -> Stack:
    if name == "nginx":
        pids = nginx(stack, folder, f"proxy-{port}", STACK_CORE, _PROXY.format(port=port, origin=origin), port)
        return Stack(label, port, pids)
    memory = {"MALLOC_TRIM_THRESHOLD_": str(1024**3), "MALLOC_MMAP_THRESHOLD_": str(1024**3)}
    if name == "bare":
        command = (sys.executable, str(HERE / "bare.py"), str(port), str(origin))
        process = stack.enter_context(running(STACK_CORE, *command, environment=memory))
        wait_line(process, "ready")
        return Stack(label, port, [process.pid])
    home = folder / f"full-{port}"
    home.mkdir()
    config = home / "tollway.toml"
    config.write_text(_TOML.format(port=port, folder=home, origin=origin))
    log = (home / "log").open("w")
    process = subprocess.Popen(
        ["taskset", "-c", STACK_CORE, sys.executable, "-m", "tollway", "serve"],
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env={**os.environ, "TOLLWAY_CONFIG": str(config)},
    )
    stack.callback(process.wait, 60)
    stack.callback(process.terminate)
    wait_line(process, "Tollway serves on")
    key = asyncio.run(_customer(config))
    return Stack(label, port, children(process.pid), {"Authorization": f"Bearer {key}"}, home)


async def _customer(config: Path) -> str:
    settings = load(config, environ={})
    database = open_database(settings.database_url, pool_size=1)
    try:
        store, now = SqlAdmin(database), datetime.now(UTC)
        user = await create_user(store, NewUser("bench@example.com"), now)
        assert not isinstance(user, Problem)
        made = await create_key(store, NewKey(user.id), settings.pepper(), now)
        assert not isinstance(made, Problem)
        await add_credit(store, NewCredit(Owner(user=user.id), CREDIT, is_free=True), now)
        return made.key
    finally:
        await database.close()


def wrk(stack: Stack, folder: Path, seconds: int, body_bytes: int) -> dict[str, float]:
    """Saturate with 64 connections; requests a second and CPU microseconds a request."""
    body = json.dumps({"model": "bench/model", "messages": [{"role": "user", "content": "x" * (body_bytes - 80)}]})
    script = folder / "post.lua"
    headers = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in stack.headers.items())
    script.write_text(
        f'wrk.method = "POST"\nwrk.body = \'{body}\'\nwrk.headers["Content-Type"] = "application/json"\n{headers}'
    )
    url = f"http://127.0.0.1:{stack.port}/v1/chat/completions"
    command = [
        "taskset",
        "-c",
        LOAD_CORE,
        "wrk",
        "-t1",
        f"-c{CONNECTIONS}",
        f"-d{seconds}s",
        "--latency",
        "-s",
        str(script),
        url,
    ]
    before = stack.cpu_s()
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    used = stack.cpu_s() - before
    requests = int(re.search(r"(\d+) requests in", said)[1])  # type: ignore[index]
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    stack.answered += requests
    stack.cut += CONNECTIONS
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1])  # type: ignore[index]
    return {"rps": rate, "cpu_us": used / requests * 1e6, "errors": int(errors[1]) if errors else 0}


def load_run(stack: Stack, kind: str, *numbers: int) -> dict[str, Any]:
    command = ["taskset", "-c", LOAD_CORE, sys.executable, str(HERE / "streams.py"), kind, "127.0.0.1", str(stack.port)]
    before = stack.cpu_s()
    said = subprocess.run(
        [*command, json.dumps(stack.headers), *map(str, numbers)], capture_output=True, text=True, check=True
    ).stdout
    result: dict[str, Any] = json.loads(said)
    result["cpu_s"] = stack.cpu_s() - before
    stack.answered += result["answered"]
    return result


class Table:
    """Figures by row and stack; each cell a list over rounds."""

    def __init__(self) -> None:
        self.cells: dict[str, dict[str, list[float]]] = {}

    def add(self, row: str, stack: Stack, value: float) -> None:
        self.cells.setdefault(row, {}).setdefault(stack.name.partition(":")[0], []).append(value)

    def show(self, names: list[str]) -> str:
        lines = [f"{'':34}" + "".join(f"{name:>12}" for name in names) + f"{'bare÷nginx':>13}{'full÷nginx':>13}"]
        for row, cells in self.cells.items():
            middles = {name: median(values) for name, values in cells.items()}
            ratios = [
                f"{middles[name] / middles['nginx']:>13.2f}" if name in middles and middles.get("nginx") else f"{'':13}"
                for name in ("bare", "full")
            ]
            shown = "".join(f"{middles[name]:>12,.2f}" if name in middles else f"{'':12}" for name in names)
            lines.append(f"{row:34}{shown}{''.join(ratios)}")
        return "\n".join(lines)


def measure(stacks: list[Stack], folder: Path, rounds: int, seconds: int) -> Table:
    table = Table()
    json_stacks = [one for one in stacks if one.name.endswith(":json")]
    stream_stacks = [one for one in stacks if one.name.endswith(":stream")]
    for one in json_stacks:
        wrk(one, folder, 1, LITTLE)  # warm up
    for _ in range(rounds):
        for size, label in ((LITTLE, "json 1k"), (BIG, "json 100k")):
            for one in json_stacks:
                got = wrk(one, folder, seconds, size)
                assert got["errors"] == 0, (one.name, got)
                table.add(f"{label}: requests/s", one, got["rps"])
                table.add(f"{label}: CPU µs/request", one, got["cpu_us"])
        for one in json_stacks:
            got = load_run(one, "latency", RATE, seconds)
            table.add(f"latency p50 ms ({RATE:,}/s)", one, got["p50"])
            table.add(f"latency p99 ms ({RATE:,}/s)", one, got["p99"])
        for one in stream_stacks:
            got = load_run(one, "streams", 200, 200 * seconds, 5)
            assert got["chunks"] == got["expected"], (one.name, got)
            table.add("streams 40k/s: CPU µs/chunk", one, got["cpu_s"] / got["chunks"] * 1e6)
            table.add("streams 40k/s: transit p50 µs", one, got["transit_us"]["p50"])
            got = load_run(one, "streams", 100, 50 * seconds, 20)
            table.add("streams 5k/s: CPU µs/chunk", one, got["cpu_s"] / got["chunks"] * 1e6)
            table.add("first chunk p50 ms (100 streams)", one, got["first_ms"]["p50"])
    for one in stream_stacks:
        measure_memory(table, one)
    return table


def measure_memory(table: Table, stack: Stack) -> None:
    load_run(stack, "streams", 1000, 2, 500)  # pools and buffers reach their size first
    before = stack.resident_mb()
    command = [sys.executable, str(HERE / "streams.py"), "streams", "127.0.0.1", str(stack.port)]
    process = subprocess.Popen(
        ["taskset", "-c", LOAD_CORE, *command, json.dumps(stack.headers), "1000", "8", "1000"],
        stdout=subprocess.DEVNULL,
    )
    time.sleep(5)
    during = stack.resident_mb()
    process.wait(60)
    stack.answered += 1000
    table.add("resident MB, idle", stack, before)
    table.add("KB per open stream (1,000)", stack, (during - before) * 1000 / 1000)


def measure_cold_start(table: Table, folder: Path, origin: int, rounds: int) -> None:
    home = folder / "cold"
    home.mkdir()
    config = home / "tollway.toml"
    config.write_text(_TOML.format(port=18199, folder=home, origin=origin))
    for number in range(rounds + 1):
        begun = time.monotonic()
        command = [sys.executable, "-m", "tollway", "serve"]
        with running(STACK_CORE, *command, environment={"TOLLWAY_CONFIG": str(config)}) as process:
            wait_line(process, "Tollway serves on")
            taken = time.monotonic() - begun
        if number:  # the first one makes the database and seeds prices
            table.add("cold start s", Stack("full", 0, []), taken)


def verify(stacks: list[Stack]) -> str:
    """The ledger of every full gateway against what was answered; raises when a micro-dollar is missing or too much."""
    answered = charged = 0
    for stack in stacks:
        if stack.home:
            rows, cost, differences = asyncio.run(_books(stack.home))
            assert differences == 0, f"{stack.name}: {differences} differences in the books"
            assert stack.answered <= rows <= stack.answered + stack.cut, (stack.name, stack.answered, stack.cut, rows)
            assert cost == rows * ANSWER_COST, (stack.name, rows, cost)
            answered, charged = answered + stack.answered, charged + cost
    return f"{answered:,} answers and {charged:,} µ$ in the books of the full gateways: nothing missing, nothing twice"


async def _books(home: Path) -> tuple[int, int, int]:
    """Rows, charges and differences, once nothing that has ended is outside the books any more."""
    database = open_database(load(home / "tollway.toml", environ={}).database_url, pool_size=1)
    reported = select(func.count(), func.coalesce(func.sum(usage.c.cost_microdollars), 0)).where(
        usage.c.basis == "reported"
    )

    def read(connection: Connection) -> tuple[int, int]:
        rows, cost = connection.execute(reported).one()
        return int(rows), int(cost)

    try:
        before = (-1, -1)
        for _ in range(SETTLED_WITHIN_S):
            rows, cost = await database.read(read)
            if (rows, cost) == before:
                break
            before = rows, cost
            await asyncio.sleep(1)
        return rows, cost, len(await verify_books(database))
    finally:
        await database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--stacks", default="nginx,bare,full")
    options = parser.parse_args()
    missing = [name for name in ("nginx", "wrk", "taskset") if shutil.which(name) is None]
    if missing:
        sys.exit(f"bench: please install {', '.join(missing)} (Debian: apt-get install nginx-light wrk util-linux)")
    names = options.stacks.split(",")
    folder = Path(tempfile.mkdtemp(prefix="tollway-bench-"))
    folder.chmod(0o755)
    from origin import ANSWER_BODY

    with ExitStack() as stack:
        static, streaming = 18001, 18002
        http = _STATIC.format(port=static, body=ANSWER_BODY.decode())
        nginx(stack, folder, "static", LOAD_CORE, http, static)
        origin = stack.enter_context(running(LOAD_CORE, sys.executable, str(HERE / "origin.py"), str(streaming)))
        wait_line(origin, "ready")
        with ExitStack() as under_test:
            stacks = start_stacks(under_test, folder, (static, streaming), names)
            table = measure(stacks, folder, options.rounds, options.seconds)
            verdict = verify(stacks)
        if "full" in names:
            measure_cold_start(table, folder, static, options.rounds)
            print(verdict)
    print(table.show(names))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
