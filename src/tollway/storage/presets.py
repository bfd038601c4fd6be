"""Preset files: the shipped ones and the operator's own."""

from importlib.resources import files
from pathlib import Path
from typing import Final

from tollway.catalog.preset import Preset, PresetError, parse_preset

NEUTRAL: Final = ""
SHIPPED: Final = ("kilo",)


def load_preset(name: str) -> Preset:
    """The neutral preset, a shipped one, or that of a file (`….toml`). Raises PresetError."""
    if name == NEUTRAL:
        return Preset()
    if name in SHIPPED:
        return parse_preset((files("tollway.catalog") / "presets" / f"{name}.toml").read_bytes(), name)
    if not name.endswith(".toml"):
        raise PresetError(f"preset: is neither a .toml file nor a shipped one, which are: {', '.join(SHIPPED)}")
    try:
        text = Path(name).read_bytes()
    except OSError:
        raise PresetError("preset: the file cannot be read") from None
    return parse_preset(text, name)
