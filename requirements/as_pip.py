"""Run uv against the same package index as pip: `as_pip.py uv pip install …`.

pip and uv read different settings. Whoever set pip up for a mirror or a private certificate (in pip's configuration
files or in PIP_* variables) should not have to do it twice, so what pip knows is handed to uv, unless uv was told
something itself. Without any such settings nothing changes.
"""

import ast
import os
import subprocess
import sys

# pip's option → uv's variable
OPTIONS = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "cert": "SSL_CERT_FILE",
}


def main() -> None:
    command = sys.argv[1:]
    os.execvpe(command[0], command, {**settings_for_uv(pip_settings()), **os.environ})  # noqa: S606  (that is its job)


def pip_settings() -> dict[str, str]:
    """What pip would use, the most specific place last: configuration files, then PIP_* variables."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    )
    found: dict[str, dict[str, str]] = {"global": {}, "install": {}, ":env:": {}}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, option = name.rpartition(".")
        if section in found:
            found[section][option] = str(ast.literal_eval(value))
    return {**found["global"], **found["install"], **found[":env:"]}


def settings_for_uv(pip: dict[str, str]) -> dict[str, str]:
    """uv's variables for pip's options; lists are separated by commas there where pip takes spaces."""
    variables = {OPTIONS[option]: value for option, value in pip.items() if option in OPTIONS}
    if "UV_FIND_LINKS" in variables:
        variables["UV_FIND_LINKS"] = ",".join(variables["UV_FIND_LINKS"].split())
    return variables


if __name__ == "__main__":
    main()
