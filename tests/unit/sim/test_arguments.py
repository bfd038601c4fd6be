"""The command line, which both ways of starting the program share."""

import inspect
from pathlib import Path

import pytest

from tollway.cli.sim import sim
from tollway.sim.arguments import FLAGS, VALUES, parse_arguments
from tollway.sim.options import SimOptions


def test_defaults() -> None:
    assert parse_arguments([]) == SimOptions(port=9900)


def test_every_option() -> None:
    line = "--listen [::1]:0 --record r --record-sync --key=a=b --no-auth --tls --certificate-dir c --replay-dir d"
    assert parse_arguments(line.split()) == SimOptions(
        host="::1",
        port=0,
        record_path=Path("r"),
        record_sync=True,
        key="a=b",
        no_auth=True,
        tls=True,
        certificate_dir=Path("c"),
        replay_dir=Path("d"),
    )


@pytest.mark.parametrize("arguments", [["--what"], ["--key"], ["--tls=yes"], ["--listen", "x"], ["stray"]])
def test_mistakes_are_told(arguments: list[str]) -> None:
    with pytest.raises(ValueError):
        parse_arguments(arguments)


def test_both_commands_have_the_same_options() -> None:
    assert {name.replace("_", "-") for name in inspect.signature(sim).parameters} == {"listen", *FLAGS, *VALUES}
