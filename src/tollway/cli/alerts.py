"""`tollway alerts`: what is watched, what is usual, and how fast promises are being used up right now."""

import typer

from tollway.admin.alert_overview import Overview, look_over
from tollway.cli import arguments
from tollway.cli.database import Administration, administer
from tollway.cli.output import refuse, write_json, write_table
from tollway.settings import SettingsError, load
from tollway.storage.presets import load_preset
from tollway.storage.sql.alerts import SqlAlerts

_RULES = ("model", "kind", "enabled", "slo", "ttfb_threshold_ms", "min_requests_per_window", "updated_at", "baseline")
_BURNS = (
    "model",
    "kind",
    "provider",
    "client",
    "severity",
    "long_minutes",
    "burn_rate",
    "requests",
    "short_minutes",
    "short_burn_rate",
    "short_requests",
    "threshold",
    "state",
)


def alerts(as_json: arguments.AsJson = False) -> None:
    """Show the models that alerts watch, their baselines, and their burn rates in each window. Tells nobody."""
    try:
        windows = load_preset(load().preset).alert_windows
    except SettingsError as error:
        refuse(str(error))

    async def work(admin: Administration) -> Overview:
        return await look_over(SqlAlerts(admin.database), windows, admin.now)

    overview = administer(work)
    if as_json:
        write_json(overview)
        return
    write_table(overview.rules, _RULES, "No model is watched: PUT /alerting/config or /alerting/ttfb-config.")
    if overview.rules:
        typer.echo()
        write_table(overview.burns, _BURNS, "No requests of these models lately.")
