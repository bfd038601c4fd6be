"""One page per provider that can be used from a terminal, each with the same parts, and each of its claims is run.

Source: catalog-and-clients C.10.
"""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from servers.lists import ListServer, list_server
from tidy.markdown import blocks, links, read
from tidy.source import ROOT, report, repository_files
from tollway.catalog.client_model import with_configured
from tollway.cli.main import application
from tollway.client.configuration import ClientConfig, Layer, Rank, read_config
from tollway.client.credentials import NONE
from tollway.client.gateways import known_gateways
from tollway.client.jsonc import read_jsonc
from tollway.client.keys import KeySource
from tollway.providers.provider import Provider
from tollway.providers.registry import load_providers

FOLDER = ROOT / "docs/guides/providers"
RECORDS = load_providers()
USED_DIRECTLY = [record for record in RECORDS.values() if record.client]
PARTS = [
    "Getting an API key",
    "Configuration",
    "Supported capabilities",
    "Provider-routing options",
    "Disabling",
    "Tips",
]
KEY = "sk-fake-key-of-a-test"
each = pytest.mark.parametrize("record", USED_DIRECTLY, ids=lambda record: record.id)


def page(record: Provider) -> Path:
    return FOLDER / f"{record.id}.md"


@each
def test_a_page_has_its_parts(record: Provider) -> None:
    text = read(page(record))
    front = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
    assert front
    assert [line.partition(":")[0] for line in front[1].splitlines()] == ["title", "description", "sidebar_label"]
    assert re.findall(r"(?m)^## (.+)$", text) == PARTS
    assert text.count(f"\n# {record.name}\n") == 1
    assert record.client
    assert record.client.site in set(links(page(record))), "people sign up at the site, not at the API's address"
    assert all(f"export {name}=" in text for name in record.client.key_variables)
    assert record.client.support in text


def test_the_index_has_every_page() -> None:
    named = {target for target in links(FOLDER / "README.md") if target.endswith(".md") and "/" not in target}
    assert named == {page(record).name for record in USED_DIRECTLY}
    assert {path.name for path in FOLDER.glob("*.md")} == named | {"README.md"}


def test_nobody_is_sent_to_the_bare_address_of_an_api() -> None:
    """There is nothing to see there: only what is below it exists."""
    bare = {record.base_url for record in RECORDS.values() if record.base_url}
    hosts = {re.sub(r"(https?://[^/]+).*", r"\1", address) for address in bare} - {
        record.client.site for record in USED_DIRECTLY if record.client
    }
    report(
        "Link to the site instead.",
        (
            f"{path.relative_to(ROOT)}: {target}"
            for path in repository_files()
            if path.suffix == ".md"
            for target in links(path)
            if target.rstrip("/") in bare | hosts
        ),
    )


# What the pages say is run


def configurations(record: Provider) -> list[ClientConfig]:
    return [
        read_config([Layer(Rank.GLOBAL, "page", read_jsonc(block.text, "page"))], {}, lambda *_: KEY)
        for block in blocks(page(record))
        if block.language == "jsonc"
    ]


@each
def test_the_configurations_do_what_they_are_for(record: Provider) -> None:
    keyed, with_options, disabled = configurations(record)
    found = known_gateways(RECORDS, keyed, NONE, {}, 0)[record.id]
    assert found.key
    assert (found.key.text, found.key.source, bool(found.base_url)) == (KEY, KeySource.CONFIGURATION, True)
    assert keyed.model.startswith(f"{record.id}/")
    configured = with_options.provider[record.id].models
    assert with_configured({}, configured).keys() == configured.keys()
    assert not disabled.is_enabled(record.id)


Run = Callable[..., Result]


@pytest.fixture
def server() -> Iterator[ListServer]:
    with list_server() as running:
        running.lists({"id": "a/b", "context_length": 5})
        yield running


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a line of a page in a home of its own, in which key.txt holds a key."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key.txt").write_text(KEY)

    def run(line: str, environ: Mapping[str, str]) -> Result:
        command, _, file = line.partition(" < ")
        _, *words = shlex.split(command)
        text = (tmp_path / file).read_text() if file else ""
        here = {"HOME": str(tmp_path), "TOLLWAY_CONFIG_CONTENT": "", **environ}
        return CliRunner().invoke(application(), words, input=text, env=here)

    return run


@each
def test_the_commands_do_what_they_are_for(record: Provider, run: Run, server: ListServer) -> None:
    """With the provider where the test's server is; a key that would be typed is asked for on a terminal only."""
    options = f'{{"provider": {{"{record.id}": {{"options": {{"baseURL": "{server.url}/v1"}}}}}}}}'
    lines = [
        line
        for block in blocks(page(record))
        if block.language == "sh"
        for line in block.text.splitlines()
        if line.startswith("tollway ")
    ]
    typed, piped, listed = lines
    if record.client and not record.client.has_device_login:
        assert "there is no terminal to ask for the key on" in run(typed, {}).stderr
    assert run(piped, {}).exit_code == 0
    here = {"TOLLWAY_CONFIG_CONTENT": options.replace("https://tollway.example", server.url)}
    ended = run(listed, here)
    assert (ended.exit_code, ended.stdout) == (0, f"{record.id}/a/b\n")


def settings_of(record: Provider) -> Any:
    return next(block.text for block in blocks(page(record)) if block.language == "toml")


@each
def test_the_gateway_s_settings_name_the_provider(record: Provider) -> None:
    assert f"[providers.{record.id}]" in settings_of(record)
    assert bool(record.base_url) is not ("base_url" in settings_of(record))
