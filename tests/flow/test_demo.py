"""`tollway demo --once`: what `make run ONCE=1` shows a newcomer."""

import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flow.programs import Program, plain_environment


def test_the_demonstration_ends_by_itself_and_its_arithmetic_is_right(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tollway", "demo", "--once"],
        cwd=tmp_path,
        env={**plain_environment(), "TOLLWAY_DATABASE_URL": "nonsense"},  # the operator's own settings do not reach it
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout
    assert "A streamed request" in said
    assert "A plain request" in said
    bills = re.findall(r"(\d+) × \$([\d.]+) \+ (\d+) × \$([\d.]+) = \$([\d.]+)", said)
    charges = re.findall(r"charged\s+\$([\d.]+)", said)
    balances = re.findall(r"balance\s+\$([\d.]+) → \$([\d.]+)", said)
    assert len(bills) == len(charges) == len(balances) == 2
    for (prompt, prompt_usd, completion, completion_usd, total), charge, (before, after) in zip(
        bills, charges, balances, strict=True
    ):
        micro = round((int(prompt) * float(prompt_usd) + int(completion) * float(completion_usd)) * 1e6, 3)
        assert round(float(total) * 1e6, 3) == micro
        assert round(float(charge) * 1e6) == int(micro + 0.5)
        assert round((float(before) - float(after)) * 1e6) == round(float(charge) * 1e6)
    assert re.search(r"Bearer tw_live_[0-9A-Za-z]{36}", said)
    assert not list(tmp_path.iterdir())  # nothing is left behind


def test_it_serves_until_it_is_told_to_stop_and_leaves_nothing_running(tmp_path: Path) -> None:
    program = Program(["tollway", "demo"], {}, tmp_path)
    try:
        program.wait_for("Serving until Ctrl-C.")
        url = next(line for line in program.lines if line.startswith("curl ")).split()[2]
        host, port = url.removeprefix("http://").partition("/")[0].split(":")
        with socket.create_connection((host, int(port)), timeout=5):
            pass
        assert program.stop() == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), timeout=5)
    finally:
        program.kill()
