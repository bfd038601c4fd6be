import pytest

from tollway.catalog.preset import Preset
from tollway.gateway.context import Context, Contexts

CONTEXTS = Contexts(Preset(features=("Cli", "direct"), feature_if_absent="direct"))
API, OPENROUTER = "/v1/chat/completions", "/api/openrouter/chat/completions"
NAMES = ["taskid", "mode", "editorname", "machineid", "projectid", "version", "feature"]


def test_a_request_that_says_nothing_makes_nothing() -> None:
    headers = {b"host": b"a", b"x-kilocode-organizationid": b"o", b"x-kilocode-unknown": b"u"}
    assert CONTEXTS.read(headers, API) is CONTEXTS.read({}, "/api/gateway/chat/completions")
    assert CONTEXTS.read(headers, API) == Context(feature="direct")
    assert CONTEXTS.read(headers, OPENROUTER) == Context()
    assert Contexts(Preset()).read({}, API) == Context()


@pytest.mark.parametrize("prefix", ["x-kilocode-", "x-tollway-"])
def test_each_header_has_its_field(prefix: str) -> None:
    values = {"taskid": "t", "mode": " Plan ", "editorname": "e", "machineid": "m", "projectid": "p", "version": "1.2"}
    headers = {f"{prefix}{name}".encode(): value.encode() for name, value in {**values, "feature": "CLI"}.items()}
    assert CONTEXTS.read(headers, API) == Context("t", "Plan", "e", "m", "p", 1.002, "cli")


@pytest.mark.parametrize("name", NAMES)
def test_one_header_alone_is_seen_and_the_neutral_one_wins(name: str) -> None:
    old, new = f"x-kilocode-{name}".encode(), f"x-tollway-{name}".encode()
    silent = CONTEXTS.read({}, OPENROUTER)
    asked = CONTEXTS.read({old: b"cli" if name == "feature" else b"1"}, OPENROUTER)
    assert asked != silent
    assert CONTEXTS.read({old: b"9", new: b"cli" if name == "feature" else b"1"}, OPENROUTER) == asked
    assert CONTEXTS.read({old: b"cli" if name == "feature" else b"1", new: b""}, OPENROUTER) == asked


def test_a_feature_that_is_not_known_is_none_even_where_an_absent_one_has_a_name() -> None:
    assert CONTEXTS.read({b"x-kilocode-feature": b"other"}, API).feature is None
    assert CONTEXTS.read({b"x-kilocode-mode": b"plan"}, API).feature == "direct"
