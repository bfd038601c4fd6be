"""What the machine decides about the tests, said at the end of a run: PostgreSQL, Redis, and whether Node is here."""

import os

import pytest
from hypothesis import HealthCheck, settings

from flow import node_client
from servers.postgres import find_binaries
from servers.redis import find_server

# How long an example takes says something of the machine, nothing of the code.
settings.register_profile("tollway", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tollway")

collect_ignore = [] if node_client.IS_HERE else ["flow/test_openai_node.py", "flow/test_device_login.py"]
_NODE = "Node client: tested" if node_client.IS_HERE else "Node client: not tested, node and npm are not here"


def pytest_xdist_auto_num_workers() -> int:
    """Flow tests wait as much as they compute."""
    return max(2, 3 * (os.cpu_count() or 1) // 2)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    folder, origin = find_binaries()
    terminalreporter.write_line(f"PostgreSQL: {origin}, {folder}. Redis: {find_server()}. {_NODE}.")
