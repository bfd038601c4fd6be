"""The real programs as child processes: `tollway serve` and `tollway sim`, on free ports, in a folder of their own."""

import json
import os
import signal
import subprocess
import threading
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from queue import Queue
from typing import Any

from servers.warm import warm

START_SECONDS_MAX = 60
LAST_WORDS_S_MAX = 30  # of what it has started, once it has ended itself


class Program:
    """A child process whose output lines are collected; `wait_for` blocks until one of them starts as asked."""

    def __init__(self, arguments: list[str], environment: Mapping[str, str], folder: Path) -> None:
        output, theirs = os.pipe()
        with Path(os.devnull).open() as nothing:
            streams = (nothing.fileno(), theirs, theirs)
            self._process = warm().start(arguments, {**plain_environment(), **environment}, folder, streams)
        os.close(theirs)
        self._output = os.fdopen(output, errors="replace")
        self.lines: list[str] = []
        self._fresh: Queue[str | None] = Queue()
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def _read(self) -> None:
        for line in self._output:
            with self._more:
                self.lines.append(line.rstrip("\n"))
                self._more.notify_all()
            self._fresh.put(line.rstrip("\n"))
        self._fresh.put(None)

    def wait_for(self, start: str) -> str:
        """The rest of the first line that begins with `start`; fails with all output when the program ends first."""
        while True:
            line = self._fresh.get(timeout=START_SECONDS_MAX)
            assert line is not None, "the program ended:\n" + "\n".join(self.lines)
            if line.startswith(start):
                return line.removeprefix(start)

    def wait_for_words(self, *words: str) -> str:
        """A line with all of them, now or soon: log lines of requests are written in batches."""

        def found() -> str | None:
            return next((line for line in self.lines if all(word in line for word in words)), None)

        with self._more:
            line = self._more.wait_for(found, START_SECONDS_MAX)
        assert line, f"no line with {words}:\n" + "\n".join(self.lines)
        return line

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self, seconds: float = 60) -> int:
        """Its exit code."""
        code = self._process.wait(seconds)
        self._reader.join(LAST_WORDS_S_MAX)
        if code > 0:
            print("\n".join(self.lines[-40:]))  # noqa: T201  (why, for a test that fails of it)
        assert not self._reader.is_alive(), f"program {self.pid} ended ({code}), and one of its children did not"
        self._output.close()
        return code

    def stop(self) -> int:
        """SIGTERM, then wait; killed when it does not end."""
        if self.is_running:
            self.signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.wait()
            raise

    def kill(self) -> None:
        self._process.kill()
        self.wait()

    def end(self) -> None:
        """Gone, whatever state it is in; for the end of a test that may have failed."""
        if self.is_running:
            self.kill()

    def lose_parent(self) -> None:
        """SIGKILL to the parent alone; returns when its children have ended too, for they hold its output open."""
        self._process.kill()
        self.wait()


class Sim(Program):
    """The stand-in upstream with a record on disk."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.record_file = folder / "sim-record.jsonl"
        arguments = ["tollway.sim", "--listen", "127.0.0.1:0", "--record", str(self.record_file), *options]
        super().__init__(arguments, {}, folder)
        self.url = self.wait_for("listening on ").strip()

    def records(self) -> list[dict[str, Any]]:
        """All record lines so far, as the stand-in tells them."""
        with urllib.request.urlopen(f"{self.url}/sim/record", timeout=10) as answer:
            return [json.loads(line) for line in answer.read().splitlines()]

    def requests(self) -> int:
        """How many it has seen so far."""
        return sum(line["kind"] == "request" for line in self.records())


class Gateway(Program):
    """`tollway serve` with the given settings file; `url` is where it serves.

    Tests show more bad credentials in a minute than an address may: only as `counts_logins` it minds them.
    """

    def __init__(
        self,
        folder: Path,
        settings: str,
        environment: Mapping[str, str] | None = None,
        *,
        counts_logins: bool = False,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = folder / "tollway.toml"
        config.write_text(settings)
        logins = {} if counts_logins else {"TOLLWAY_LIMITS__FAILED_LOGINS_PER_MINUTE": "0"}
        # What else runs in the same container is no reason to refuse anything.
        memory = {} if "memory_bytes" in settings else {"TOLLWAY_LIMITS__MEMORY_BYTES": str(1 << 40)}
        named = {"TOLLWAY_CONFIG": str(config), **logins, **memory, **(environment or {})}
        super().__init__(["tollway", "serve"], named, folder)
        self.folder = folder
        self.config = config
        self.url = self.wait_for("Tollway serves on ").strip()
        self.host, _, port = self.url.removeprefix("http://").rpartition(":")
        self.port = int(port)


def settings_for(
    folder: Path,
    sim_url: str,
    *,
    database_url: str = "",
    more_sim: str = "",
    models: str = "",
    top: str = "",
    is_patient: bool = True,
    port: int = 0,
) -> str:
    """A complete tollway.toml: one stand-in provider `sim` that reports cost, one (`plain`) that does not.

    `is_patient`: the stand-in is never left alone, because it is here to fail.
    `top`: lines for the top level. `models`: further [[models]] tables. Prices of `sim/*` are those of the stand-in.
    """
    patient = "[breaker]\nfailures_in_a_row = 0\ncalls_min = 0\n" if is_patient else ""
    database_url = database_url or f"sqlite:///{folder}/tollway.db"
    return f"""
listen = "127.0.0.1:{port}"
state_dir = "{folder}"
database_url = "{database_url}"
{top}
{patient}
[providers.sim]
kind = "compatible"
base_url = "{sim_url}/v1"
api_key = "sk-fake-upstream-key"
reports_cost = true
{more_sim}

[providers.plain]
kind = "compatible"
base_url = "{sim_url}/v1"
api_key = "sk-fake-upstream-key"

[[models]]
id = "sim/story"
provider = "sim"
prompt_usd_per_million = "0.5"
completion_usd_per_million = "1.5"

[[models]]
id = "sim/echo"
provider = "sim"
prompt_usd_per_million = "0.1"
completion_usd_per_million = "0.4"

[[models]]
id = "sim/reasoner"
provider = "sim"
prompt_usd_per_million = "1.25"
completion_usd_per_million = "10"

[[models]]
id = "sim/toolsmith"
provider = "sim"
prompt_usd_per_million = "0.5"
completion_usd_per_million = "2"

[[models]]
id = "plain/story"
provider = "plain"
upstream_model = "sim/story"
prompt_usd_per_million = "2"
completion_usd_per_million = "8"
cached_usd_per_million = "0.5"

[[models]]
id = "dead/model"
provider = "dead"
prompt_usd_per_million = "1"
completion_usd_per_million = "1"
{models}

[providers.dead]
kind = "compatible"
base_url = "http://127.0.0.1:9/v1"
"""


def plain_environment() -> dict[str, str]:
    """This process's environment without settings of a Tollway or provider keys that may lie in it."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TOLLWAY_") and not name.endswith("_API_KEY")
    }
