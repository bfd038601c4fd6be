import resource
import subprocess
import sys

import pytest

from tollway.http.open_files import open_files, open_files_max

_PROGRAM = """
import resource, sys
from tollway.http.open_files import allow_open_files, open_files_max
resource.setrlimit(resource.RLIMIT_NOFILE, (64, 128))
allow_open_files()
print(open_files_max(), *resource.getrlimit(resource.RLIMIT_NOFILE))
"""


@pytest.mark.parametrize(("says", "files"), [((64, 128), 64), ((resource.RLIM_INFINITY,) * 2, sys.maxsize)])
def test_what_the_system_says(says: tuple[int, int], files: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: says)
    assert open_files() == files


def test_all_that_may_be_had_is_taken() -> None:
    """In a process of its own: what was given up cannot be had again."""
    ended = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert ended.stdout == "128 128 128\n"


def test_there_are_some() -> None:
    assert open_files_max() > 0
