"""How many test vectors of each specification page pass: `make vectors`.

A test belongs to a vector when its id carries the page's name and the vector's: `request:RT1`, `response:V87a`,
`catalog:F-03`. A vector passes when every test that carries its id passes.
"""

import re
from collections import defaultdict
from typing import Any, Final

# Vectors on each page, as the page itself counts them.
TOTALS: Final = {
    "request": 340,  # request path, "Test vectors"
    "response": 213,  # response path, section 16 "Test vectors"
    "catalog": 208,  # catalog and clients, section G "Test vectors"
}
_VECTOR: Final = re.compile(rf"\b({'|'.join(TOTALS)}):([A-Z][A-Za-z]*-?\d+[a-z]?)")

_verdicts: dict[tuple[str, str], list[bool]] = defaultdict(list)


def pytest_addoption(parser: Any) -> None:
    parser.addoption("--vectors-only", action="store_true", help="Run only tests that carry a vector's id.")


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    if config.getoption("vectors_only"):
        items[:] = [item for item in items if _VECTOR.search(item.nodeid)]


def pytest_runtest_logreport(report: Any) -> None:
    for page, vector in _VECTOR.findall(report.nodeid):
        if report.when == "call" or not report.passed:
            _verdicts[page, vector].append(report.passed)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    terminalreporter.section("test vectors")
    for page, total in TOTALS.items():
        verdicts = [passed for (of, _), passed in _verdicts.items() if of == page]
        passing = sum(all(passed) for passed in verdicts)
        terminalreporter.write_line(f"{page:<9} {passing:>3} of {total} pass, {total - len(verdicts)} have no test yet")


def pytest_sessionfinish(session: Any, exitstatus: int) -> None:
    if exitstatus == 5:  # no vector has a test yet, which is no failure
        session.exitstatus = 0
