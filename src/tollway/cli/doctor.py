"""`tollway doctor`: is this installation as it should be? Looks at everything, changes nothing, shows no secret."""

import asyncio
import threading
from collections.abc import Callable, Mapping

import typer

from tollway.admin.findings import Finding, State, failed, judge_damage, judge_providers, ok
from tollway.cli import doctor_machine as machine
from tollway.cli.arguments import AsJson
from tollway.cli.doctor_stores import ask_stores
from tollway.cli.output import write_json
from tollway.identity.master_keys import sealing_keys
from tollway.identity.promotions import read_promotions
from tollway.kept_secret import secret_text
from tollway.providers.registry import Upstream, configured
from tollway.settings import Settings, SettingsError, load
from tollway.storage.presets import load_preset

_WIDTH = max(map(len, State))


def doctor(as_json: AsJson = False) -> None:
    """Check this installation: settings, folders, database, master keys, catalog, journals, port, and more.

    Only reads, and asks no provider anything. Exit code 1 when something failed; warnings do not count.
    """
    findings = examine()
    is_well = not any(one.state is State.FAILED for one in findings)
    if as_json:
        write_json({"is_well": is_well, "findings": findings})
    else:
        for one in findings:
            typer.echo(f"{one.state:<{_WIDTH}}  {one.check}: {one.words}")
            if one.todo:
                typer.echo(f"{'':<{_WIDTH}}  → {one.todo}")
        typer.echo("All is well." if is_well else "Something is wrong.")
    raise typer.Exit(0 if is_well else 1)


def examine() -> list[Finding]:
    """Everything, in the order in which a start needs it. Without settings there is nothing to look at."""
    try:
        settings = load()
        upstreams = _read_settings(settings)
    except SettingsError as error:
        return [failed("settings", str(error), "docs/reference/settings.md says what may be set")]
    return [
        ok("settings", "they can be read"),
        *_within("secret files", lambda: machine.look_at_secret_files(settings)),
        *_within("state_dir", lambda: machine.look_at_folders(settings)),
        *_within("journals", lambda: [judge_damage()] if machine.look_at_damage(settings) else []),
        machine.look_at_workers(settings),
        machine.look_at_open_files(settings),
        *judge_providers(upstreams, settings.providers.keys() - upstreams.keys()),
        *asyncio.run(ask_stores(settings, upstreams)),
        machine.look_at_port(settings),
    ]


def _read_settings(settings: Settings) -> Mapping[str, Upstream]:
    """All that a start reads of them, without the secrets that it would make. Raises SettingsError."""
    preset = load_preset(settings.preset)
    read_promotions(preset.promotions)
    settings.jwt_secret()
    settings.redis_address()
    settings.reference_key_text()
    for name, value, file in (
        ("key_pepper", settings.key_pepper, settings.key_pepper_file),
        ("user_hash_secret", settings.user_hash_secret, settings.user_hash_secret_file),
        ("anon_id_key", settings.anon_id_key, settings.anon_id_key_file),
    ):
        secret_text(name, value, file)
    if settings.master_keys or settings.master_keys_file or (settings.state_dir / machine.MASTER_KEY).exists():
        sealing_keys(settings)
    return configured(settings, preset=preset)


def _within(check: str, look: Callable[[], list[Finding]]) -> list[Finding]:
    """A disk that hangs keeps its thread, not this program."""
    found: list[list[Finding]] = []

    def run() -> None:
        try:
            found.append(look())
        except OSError as error:
            found.append([failed(check, f"{error.filename}: {error.strerror}", "look at the disk")])

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(machine.CHECK_S)
    return found[0] if found else [failed(check, f"no answer within {machine.CHECK_S:.0f} s", "look at the disk")]
