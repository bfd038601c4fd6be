"""Guides of the management API, as they stand there: every block runs against a gateway, in order."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from flow.accounts import Accounts
from flow.programs import Gateway, Sim, plain_environment, settings_for
from tidy.source import ROOT

# What both ways of doing it have said, command and HTTP.
GUIDES = {
    "management-api.md": (
        "Invited eve@example.com as billing_manager",
        "Added custom upstream: house",
        "Assigned custom LLM",
        "tw_live_",
    ),
    "subscriptions.md": ("in_", "tier_19", "card declined"),
}
OPEN_TO = '[custom_upstreams]\nallowed_private_endpoints = ["{url}"]\n'


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_works(tmp_path: Path, guide: str) -> None:
    sim = Sim(tmp_path / "sim")
    folder = tmp_path / "gateway"
    settings = settings_for(folder, sim.url, top='preset = "kilo"') + OPEN_TO.format(url=sim.url)
    gateway = Gateway(folder, settings)
    try:
        blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "guides" / guide).read_text(), re.DOTALL)
        assert len(blocks) > 5
        start = f'set -euo pipefail\ntollway() {{ "{sys.executable}" -m tollway "$@"; }}\n'
        environment = {"TOLLWAY_CONFIG": str(gateway.config), "GATEWAY": gateway.url, "UPSTREAM": f"{sim.url}/v1"}
        done = subprocess.run(
            ["bash", "-c", start + "\n".join(blocks)],
            cwd=tmp_path,
            env={**plain_environment(), **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        for told in GUIDES[guide]:
            assert done.stdout.count(told) >= 2, told  # once each way
        assert Accounts(gateway.config).differences() == ()
    finally:
        gateway.stop()
        sim.stop()
