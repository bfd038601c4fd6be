"""What the machine decides about the tests: the Node client is tested where node and npm are."""

import pytest

from flow import node_client

collect_ignore = [] if node_client.IS_HERE else ["flow/test_openai_node.py"]
_SAID = "Node client: tested" if node_client.IS_HERE else "Node client: not tested, node and npm are not here"


def pytest_report_header() -> str:
    return _SAID


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not node_client.IS_HERE:  # quiet runs have no header
        terminalreporter.write_line(_SAID)
