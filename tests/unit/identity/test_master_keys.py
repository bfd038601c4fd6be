"""Sealing keys as operators write them."""

from base64 import b64encode
from pathlib import Path

import pytest

from tollway.identity.master_keys import sealing_keys
from tollway.settings import SettingsError, load, parse

ONE, TWO = (b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def test_the_first_one_seals_and_all_open() -> None:
    keys = sealing_keys(parse({"master_keys": f"b:{TWO}, a:{ONE}", "byok_encryption_key": ONE}))
    assert (keys.active, set(keys.master), keys.reference) == ("b", {"a", "b"}, bytes([1]) * 32)


def test_without_a_setting_one_is_made_and_stays(tmp_path: Path) -> None:
    settings = parse({"state_dir": str(tmp_path)})
    assert sealing_keys(settings) == sealing_keys(settings)
    assert sealing_keys(settings).active == "local"
    assert (tmp_path / "master-key").stat().st_mode & 0o777 == 0o600


def test_a_damaged_kept_key_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "master-key").write_text("no hex")
    with pytest.raises(SettingsError, match="master-key"):
        sealing_keys(parse({"state_dir": str(tmp_path)}))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("x", "must be id:base64"),
        (f":{ONE}", "must be id:base64"),
        (f"a b:{ONE}", "must be id:base64"),
        ("a:???", "a: is not base64"),
        ("a:AAAA", "a: must be 32 bytes"),
        (f"a:{ONE},a:{TWO}", "a is there twice"),
    ],
)
def test_what_is_no_key_is_refused_without_being_quoted(text: str, what: str) -> None:
    with pytest.raises(SettingsError, match=what) as refused:
        sealing_keys(parse({"master_keys": text}))
    assert ONE not in str(refused.value)


def test_the_references_key_has_its_usual_name(tmp_path: Path) -> None:
    environ = {"BYOK_ENCRYPTION_KEY": TWO, "TOLLWAY_STATE_DIR": str(tmp_path)}
    assert sealing_keys(load(None, environ)).reference == bytes([2]) * 32
    with pytest.raises(SettingsError, match="byok_encryption_key: must be 32 bytes"):
        sealing_keys(parse({"master_keys": f"a:{ONE}", "byok_encryption_key": "AAAA"}))
