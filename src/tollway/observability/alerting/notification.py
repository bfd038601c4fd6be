"""What is said of a breach, in the blocks that Slack's webhooks take. Pure. Source: response-path 9.7."""

from typing import Any, Final

from tollway.observability.alerting.evaluation import Breach
from tollway.observability.alerting.rules import Kind, Severity

_BADGES: Final = {Severity.PAGE: ":rotating_light: PAGE", Severity.TICKET: ":ticket: TICKET"}
_SUBJECTS: Final = {Kind.ERROR_RATE: "LLM Error Rate SLO Breach", Kind.TTFB: "LLM TTFB Latency SLO Breach"}


def message_of(breach: Breach) -> dict[str, Any]:
    """The JSON body for the webhook."""
    window, group = breach.window, breach.group
    title = f"{_BADGES[window.severity]} — {_SUBJECTS[breach.promise.kind]}"
    fields = (
        ("Provider", _escaped(group.provider)),
        ("Model", _escaped(group.model)),
        ("Burn rate", f"{breach.burn_rate:.1f}x (threshold: {window.burn_rate:g}x)"),
        ("Window", f"{window.long_minutes} min"),
    )
    lines = (
        _what(breach),
        f"Requests in window: {breach.count.total:,}",
        f"Client: {_escaped(group.client)}",
    )
    return {
        "text": title,
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": True}},
            {"type": "section", "fields": [_marked(f"*{name}:*\n{value}") for name, value in fields]},
            {"type": "section", "text": _marked("\n".join(lines))},
        ],
    }


def _what(breach: Breach) -> str:
    promise, rate = breach.promise, breach.count.bad / breach.count.total
    if promise.threshold_ms is None:
        return f"Error rate: {rate:.2%} (SLO: {promise.slo:.2%})"
    return f"{rate:.2%} of requests exceeded {promise.threshold_ms}ms TTFB (budget: {1 - promise.slo:.2%})"


def _marked(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def _escaped(text: str) -> str:
    """Records that were received name models and providers as they like, and must not speak in Slack's markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
