import json
from typing import Any

import pytest

from contract.scenario import START
from tollway.admin.alert_rules import read_error_rate_rule, read_ttfb_rule
from tollway.observability.alerting.rules import ErrorRateRule, TtfbRule

RULE = {"model": " A/B:free", "enabled": True, "errorRateSlo": 0.999, "minRequestsPerWindow": 10}
SLOW = {"model": "a/b", "enabled": False, "ttfbThresholdMs": 3000, "ttfbSlo": 0.95, "minRequestsPerWindow": 1}


def test_rules() -> None:
    assert read_error_rate_rule(json.dumps(RULE).encode(), START) == ErrorRateRule("a/b", True, 0.999, 10, START)
    assert read_ttfb_rule(json.dumps(SLOW).encode(), START) == TtfbRule("a/b", False, 3000, 0.95, 1, START)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("errorRateSlo", value) for value in (0, 1, -0.1, 1.1, "0.9", None)),
        *(("minRequestsPerWindow", value) for value in (0, -1, 1.5, 2**53, "1")),
        *(("enabled", value) for value in (1, "true", None)),
        *(("model", value) for value in ("", ":free", "  ", 7, "a\0")),
    ],
)
def test_what_is_no_rule(name: str, value: Any) -> None:
    for base, read in ((RULE, read_error_rate_rule), (SLOW, read_ttfb_rule)):
        if name in base:
            issues = read(json.dumps({**base, name: value}).encode(), START)
            assert isinstance(issues, tuple)
            assert [issue.path for issue in issues] == [(name,)]


@pytest.mark.parametrize(("name", "value"), [("ttfbThresholdMs", 0), ("ttfbThresholdMs", 0.5), ("ttfbSlo", 1)])
def test_what_is_no_rule_of_speed(name: str, value: Any) -> None:
    issues = read_ttfb_rule(json.dumps({**SLOW, name: value}).encode(), START)
    assert isinstance(issues, tuple)
    assert [issue.path for issue in issues] == [(name,)]
