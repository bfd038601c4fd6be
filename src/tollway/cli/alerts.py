"""`tollway alerts`: what is watched, what is usual, and how fast promises are being used up right now."""

from typing import Any, Final

import typer

from tollway.admin.alert_overview import Overview, WatchedModel, look_over
from tollway.cli import arguments
from tollway.cli.database import Administration, administer
from tollway.cli.output import refuse, write_json, write_table
from tollway.settings import SettingsError, load
from tollway.storage.presets import load_preset
from tollway.storage.sql.alerts import SqlAlerts

_RULES: Final = ("model", "kind", "enabled", "slo", "min_requests_per_window", "updated_at", "usual")
_BURNS: Final = (
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
    rules = [_Row(rule) for rule in overview.rules]
    write_table(rules, _RULES, "No model is watched: PUT /alerting/config or /alerting/ttfb-config.")
    if overview.rules:
        typer.echo()
        write_table(overview.burns, _BURNS, "No requests of these models lately.")


class _Row:
    """A rule as a line of the table."""

    def __init__(self, rule: WatchedModel) -> None:
        self._rule = rule

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rule, name)

    @property
    def usual(self) -> str | None:
        baseline, threshold_ms = self._rule.baseline, self._rule.ttfb_threshold_ms
        if baseline is None:
            return None
        if threshold_ms is None:
            return f"{baseline['errorRate7d']:.2%} of {baseline['requests7d']:,} failed in 7 days"
        percentiles = ", ".join(f"p{one} {baseline[f'p{one}Ttfb3d']} ms" for one in (50, 95, 99))
        return f"{percentiles} of {baseline['requests3d']:,} in 3 days"
