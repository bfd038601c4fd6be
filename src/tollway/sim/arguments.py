"""The command line of `python -m tollway.sim`: the options of `tollway sim`, read without a command-line library.

Such a library takes longer to import than everything else together, and tests start this program over and over.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from tollway.sim.options import SimOptions, parse_listen

DEFAULT_LISTEN: Final = "127.0.0.1:9900"
FLAGS: Final = ("record-sync", "no-auth", "tls")
VALUES: Final[Mapping[str, tuple[str, Callable[[str], object]]]] = {
    "record": ("record_path", Path),
    "key": ("key", str),
    "certificate-dir": ("certificate_dir", Path),
    "replay-dir": ("replay_dir", Path),
}


def parse_arguments(arguments: Sequence[str]) -> SimOptions:
    """`--name value`, `--name=value` or `--flag` as options; raises ValueError with a sentence for the user."""
    options: dict[str, Any] = {}
    listen, rest = DEFAULT_LISTEN, list(arguments)
    while rest:
        name, equals, value = rest.pop(0).removeprefix("--").partition("=")
        if name in FLAGS and not equals:
            options[name.replace("-", "_")] = True
            continue
        if name != "listen" and name not in VALUES:
            raise ValueError(f"unknown option --{name}")
        if not equals:
            if not rest:
                raise ValueError(f"--{name} needs a value")
            value = rest.pop(0)
        if name == "listen":
            listen = value
        else:
            field, read = VALUES[name]
            options[field] = read(value)
    host, port = parse_listen(listen)
    return SimOptions(host=host, port=port, **options)
