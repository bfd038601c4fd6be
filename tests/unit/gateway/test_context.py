from typing import Final

import pytest

from tollway.catalog.preset import Preset
from tollway.gateway.context import Context, Contexts

CONTEXTS = Contexts(Preset(features=("Cli", "direct"), feature_if_absent="direct"))
API, OPENROUTER = "/v1/chat/completions", "/api/openrouter/chat/completions"
FIELDS: Final = {
    "taskid": "task_id",
    "mode": "mode",
    "editorname": "editor_name",
    "machineid": "machine_id",
    "projectid": "project_id",
    "version": "client_version",
    "feature": "feature",
}
SILENT = (None, None, None, None, None, 0.0, None)


def fields(context: Context) -> tuple[object, ...]:
    return tuple(getattr(context, field) for field in FIELDS.values())


def test_a_request_that_says_nothing_makes_nothing() -> None:
    headers = {b"host": b"a", b"x-kilocode-organizationid": b"o", b"x-kilocode-unknown": b"u"}
    silent = CONTEXTS.read(headers, API)
    assert silent is CONTEXTS.read({}, "/api/gateway/chat/completions")
    assert fields(silent) == (*SILENT[:-1], "direct")
    assert fields(CONTEXTS.read(headers, OPENROUTER)) == SILENT
    assert fields(Contexts(Preset()).read({}, API)) == SILENT


@pytest.mark.parametrize("prefix", ["x-kilocode-", "x-tollway-"])
def test_each_header_has_its_field(prefix: str) -> None:
    values = {"taskid": "t", "mode": " Plan ", "editorname": "e", "machineid": "m", "projectid": "p", "version": "1.2"}
    headers = {f"{prefix}{name}".encode(): value.encode() for name, value in {**values, "feature": "CLI"}.items()}
    assert fields(CONTEXTS.read(headers, API)) == ("t", "Plan", "e", "m", "p", 1.002, "cli")


@pytest.mark.parametrize(("name", "field"), FIELDS.items())
def test_one_header_alone_is_seen_and_the_neutral_one_wins(name: str, field: str) -> None:
    old, new = f"x-kilocode-{name}".encode(), f"x-tollway-{name}".encode()
    value = b"cli" if name == "feature" else b"1"
    expected: dict[str, object] = {**dict.fromkeys(FIELDS.values(), "1"), "client_version": 1.0, "feature": "cli"}
    for headers in ({old: value}, {new: value}, {old: b"9", new: value}, {old: value, new: b""}):
        told = dict(zip(FIELDS.values(), fields(CONTEXTS.read(headers, OPENROUTER)), strict=True))
        assert told == {**dict(zip(FIELDS.values(), SILENT, strict=True)), field: expected[field]}


def test_a_feature_that_is_not_known_is_none_even_where_an_absent_one_has_a_name() -> None:
    assert CONTEXTS.read({b"x-kilocode-feature": b"other"}, API).feature is None
    assert CONTEXTS.read({b"x-kilocode-feature": b""}, API).feature is None
    assert CONTEXTS.read({b"x-kilocode-mode": b"plan"}, API).feature == "direct"
