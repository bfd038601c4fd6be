"""The documentation says what the code does: generated pages are current, links lead somewhere, examples are valid."""

import importlib.util
import re
import tomllib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from types import ModuleType

import pytest

from tidy.markdown import anchors, blocks, broken_links, read
from tidy.source import ROOT, report, repository_files
from tollway.admin.preferences import PREFERENCE_NAMES
from tollway.cli.main import COMMANDS
from tollway.errors import CATALOGUE, Code
from tollway.identity.organization import SETTING_NAMES
from tollway.settings import load, parse
from tollway.storage.sql.accounting_tables import auto_top_ups, subscriptions
from tollway.storage.sql.tables import (
    api_keys,
    credit_transactions,
    member_limits,
    memberships,
    organizations,
    users,
)

REFERENCE = ROOT / "docs" / "reference"
EXAMPLE = ROOT / "tollway.example.toml"
PAGES = [path for path in repository_files() if path.suffix == ".md"]
PAGE_LINES_MAX = 60


def _load_generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_generator", REFERENCE / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATOR = _load_generator()
GENERATED: dict[str, str] = GENERATOR.pages()


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


# Reference pages


@pytest.mark.parametrize("name", GENERATED)
def test_generated_pages_are_current(name: str) -> None:
    path = ROOT / name
    assert path.exists(), f"{name} is missing: run `make docs` and commit it"
    assert path.read_text() == GENERATED[name], f"{name} is not what the code says now: run `make docs`"


def test_every_setting_has_help() -> None:
    silent = [
        ".".join((*path, name))
        for path, section in GENERATOR.sections()
        for name, field in section.model_fields.items()
        if not (field.description or "").endswith((".", "…"))
    ]
    report(
        "Give the field in settings.py a description, one sentence, so that docs/reference/settings.md can tell.",
        silent,
    )


def test_every_setting_is_documented() -> None:
    page = GENERATED["docs/reference/settings.md"]
    missing = [
        ".".join((*path, name))
        for path, section in GENERATOR.sections()
        for name, field in section.model_fields.items()
        if f"| `{name}` |" not in page and not GENERATOR.is_section(field)
    ]
    report("docs/reference/generate.py leaves these settings out.", missing)


def test_every_error_code_has_a_row() -> None:
    report("Give the code an Entry in CATALOGUE, errors.py.", (code.value for code in Code if code not in CATALOGUE))
    page = GENERATED["docs/reference/errors.md"]
    report(
        "docs/reference/generate.py leaves these codes out.", (c.value for c in Code if f"| `{c.value}` |" not in page)
    )


def test_every_command_says_what_it_does() -> None:
    silent = [" ".join(words) for words, command, _ in GENERATOR.commands() if not (command.help or "").strip()]
    report("Give the command a docstring (typer shows it as help), and a group its `help=`.", silent)


def test_every_argument_says_what_it_is() -> None:
    silent = [
        f"{' '.join(words)} {option.name}"
        for words, command, _ in GENERATOR.commands()
        for option in getattr(command, "params", ())
        if not (option.help or "").strip()
    ]
    report("Give the argument or option a `help=`.", silent)


def test_every_command_is_documented() -> None:
    page = GENERATED["docs/reference/cli.md"]
    words = {" ".join(words) for words, _, _ in GENERATOR.commands()} | {f"tollway {name}" for name in COMMANDS}
    report("docs/reference/generate.py leaves these commands out.", (one for one in words if f"# `{one}`" not in page))


def test_every_route_is_documented() -> None:
    page = GENERATED["docs/reference/routes.md"]
    missing = [f"{methods} {path}" for methods, path in GENERATOR.routes() if f"| {methods} | `{path}` |" not in page]
    report("docs/reference/generate.py leaves these routes out.", missing)


OURS = {"id", "created_at", "updated_at", "user_id", "organization_id", "account_id"}  # whose and when
KEPT = {  # what no command or route sets
    "member_limits.limit_type": "there is one",
    "api_keys.secret_hash": "made with the key",
    "api_keys.last_four": "made with the key",
    "api_keys.last_used_at": "of the books",
    "credit_transactions.expired_at": "of the books",
    "credit_transactions.expiration_baseline_microdollars": "of the books",
    "credit_transactions.original_baseline_microdollars": "of the books",
    "credit_transactions.original_transaction_id": "of the books",
    "auto_top_ups.attempt_started_at": "ends with a payment",
    "organizations.settings": "its parts are on the page",
}


def test_every_stored_setting_says_what_sets_it() -> None:
    """What the gateway reads and nobody can set is a door that is missing."""
    page = read(REFERENCE / "stored-settings.md")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in _named(row)}
    tables = (users, organizations, memberships, member_limits, api_keys, credit_transactions)
    wanted = {
        f"{table.name}.{column.name}"
        for table in (*tables, auto_top_ups, subscriptions)
        for column in table.columns
        if column.name not in OURS
    }
    wanted |= {f"settings.{name}" for name in (*SETTING_NAMES, *PREFERENCE_NAMES)}
    report(
        "Say on docs/reference/stored-settings.md which command or route sets it.", sorted(wanted - told - set(KEPT))
    )
    report("These are in KEPT for nothing.", sorted(set(KEPT) - wanted))


def _named(cell: str) -> Iterator[str]:
    """`a.b`, `c` names a.b and a.c."""
    table = ""
    for name in re.findall(r"`([^`]+)`", cell):
        table, _, column = name.rpartition(".") if "." in name else (table, "", name)
        yield f"{table}.{column}"


# All pages


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_links_lead_somewhere(path: Path) -> None:
    report(f"Repair these links in {_name(path)}.", broken_links(path))


@pytest.mark.parametrize("target", ["gone.md", "here.md#gone", "#gone"])
@pytest.mark.parametrize(
    "link", ["[a]({})", "![a]({})", "[a\nb]({})", "[`a`]({})", '[a]({} "title")', "[a][b]\n\n[b]: {}", '<a href="{}">']
)
def test_a_link_that_leads_nowhere_is_found(tmp_path: Path, link: str, target: str) -> None:
    """In every form that Markdown has for it; in code it is none."""
    (tmp_path / "here.md").write_text("# There\n")
    page = tmp_path / f"{abs(hash((link, target)))}.md"
    good = "".join(f"{link.format(one)}\n\n" for one in ("here.md", "here.md#there", "#top", "https://example.com"))
    page.write_text(f"# Top\n\n{good}`[a]({target})`\n\n{link.format(target)}\n")
    assert [one.partition(": ")[0] for one in broken_links(page)] == [target]


@pytest.mark.parametrize("path", PAGES, ids=_name)
def test_code_blocks_are_valid(path: Path) -> None:
    for block in blocks(path):
        if block.language == "toml":
            parse(tomllib.loads(block.text, parse_float=Decimal))
        elif block.language == "python":
            compile(block.text, f"{_name(path)}:{block.line}", "exec")


def test_decisions_have_their_form() -> None:
    """docs/adr/NNNN-title.md: numbered without gaps, under a page, with context, decision and consequences."""
    decisions = sorted((ROOT / "docs/adr").glob("*.md"))
    assert [path.name[:5] for path in decisions] == [f"{number:04d}-" for number in range(1, len(decisions) + 1)]
    for path in decisions:
        assert {"context", "decision", "consequences"} <= anchors(path), f"{_name(path)} lacks one of its three parts"
        assert len(read(path).splitlines()) <= PAGE_LINES_MAX, f"{_name(path)} is longer than a page"


# The example configuration


def test_the_example_changes_nothing_as_it_is() -> None:
    assert load(EXAMPLE, {}) == load(Path("/dev/null"), {}), "everything in tollway.example.toml is commented out"


def test_the_example_is_valid_when_uncommented(tmp_path: Path) -> None:
    """`#name = value` is a setting, `# text` is prose."""
    uncommented = tmp_path / "tollway.toml"
    uncommented.write_text(re.sub(r"(?m)^#(?=\S)", "", EXAMPLE.read_text()))
    settings = load(uncommented, {})
    assert settings.providers
    assert settings.models


def test_the_example_shows_every_setting() -> None:
    names = set(re.findall(r"(?m)^#(\w+) = ", EXAMPLE.read_text()))
    missing = {
        name
        for _, section in GENERATOR.sections()
        for name, field in section.model_fields.items()
        if not GENERATOR.is_section(field)
    } - names
    report("Add these settings, commented out, to tollway.example.toml.", missing)
