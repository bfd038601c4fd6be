"""Guarantee S5: thousands of idle streams through one worker, for minutes, and what a new request pays beside them.

`python bench/idle_streams.py [--streams 9800] [--minutes 10]`. A stream takes two files of the gateway: where a process
may open 20,000, it lets in 9,900 clients. Exits with 1 when a bound does not hold.
"""

import argparse
import json
import resource
import shutil
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from run import HERE, LOAD_CORE, Stack, load_run, running, start_stack, verify, wait_line

INTERVAL_S = 30  # between two chunks of a stream; below it no proxy on the way would call it idle
RATE = 50  # new requests a second beside the streams
ALONE_S = 30  # how long they are measured without streams
KIB_PER_STREAM, CORE_SHARE, ADDED_P99_MS = 128, 0.20, 50.0  # the guarantee
FILES_BESIDE = 400  # the gateway's own, and connections of new requests
ORIGIN, GATEWAY = 18290, 18291


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=9_800)
    parser.add_argument("--minutes", type=float, default=10.0)
    options = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if files < 2 * options.streams + FILES_BESIDE:
        sys.exit(f"a process may open {files:,} files here: enough for {(files - FILES_BESIDE) // 2:,} streams")
    folder = Path(tempfile.mkdtemp(prefix="tollway-idle-"))
    with ExitStack() as stack:
        origin = stack.enter_context(running(LOAD_CORE, sys.executable, str(HERE / "origin.py"), str(ORIGIN)))
        wait_line(origin, "ready")
        gateway = start_stack(stack, folder, "full", "full", GATEWAY, ORIGIN)
        load_run(gateway, "latency", RATE, 5)  # warm up
        alone = load_run(gateway, "latency", RATE, ALONE_S)
        holds = report(options.streams, options.minutes, gateway, alone)
        print(verify([gateway]))
    shutil.rmtree(folder)
    sys.exit(not holds)


def report(count: int, minutes: float, gateway: Stack, alone: dict[str, Any]) -> bool:
    """Open the streams, measure, wait for their end; True when every bound holds."""
    before_mb = gateway.resident_mb()
    chunks = 2 + int(minutes * 60 / INTERVAL_S)
    numbers = (count, chunks, INTERVAL_S * 1000)
    command = [sys.executable, str(HERE / "streams.py"), "idle", "127.0.0.1", str(gateway.port)]
    with running(LOAD_CORE, *command, json.dumps(gateway.headers), *map(str, numbers)) as load:
        wait_line(load, "open")
        open_mb, cpu, begun = gateway.resident_mb(), gateway.cpu_s(), time.monotonic()
        quiet_s = INTERVAL_S * 2
        time.sleep(quiet_s)  # nothing but the streams
        share = (gateway.cpu_s() - cpu) / (time.monotonic() - begun)
        beside = load_run(gateway, "latency", RATE, int(minutes * 60) - quiet_s)
        last_mb = gateway.resident_mb()
        said, _ = load.communicate(timeout=INTERVAL_S * 10)
    ended = json.loads(said)
    gateway.answered += ended["answered"]
    kib = (max(open_mb, last_mb) - before_mb) * 1e6 / 1024 / count
    added = beside["p99"] - alone["p99"]
    print(f"{count:,} streams for {minutes:g} minutes, a chunk every {INTERVAL_S} s; {ended['broken']} broken,")
    print(f"  {ended['chunks']:,} of {ended['expected']:,} chunks; first chunk p99 {ended['first_ms']['p99']:.1f} ms")
    print(
        f"  memory: {before_mb:.0f} MB, {open_mb:.0f} with all open, {last_mb:.0f} at the end: {kib:.1f} KiB a stream"
    )
    print(f"  processor: {share:.1%} of a core")
    print(f"  {RATE} new requests a second, p50 / p99 ms: {alone['p50']:.1f} / {alone['p99']:.1f} alone,", end=" ")
    print(f"{beside['p50']:.1f} / {beside['p99']:.1f} beside them ({beside['answered']:,} answered)")
    whole = not ended["broken"] and ended["chunks"] == ended["expected"]
    return whole and kib <= KIB_PER_STREAM and share <= CORE_SHARE and added <= ADDED_P99_MS


if __name__ == "__main__":
    main()
