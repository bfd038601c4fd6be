import resource
import sys

import pytest

from tollway.http.open_files import open_files


@pytest.mark.parametrize(("says", "files"), [((64, 128), 64), ((resource.RLIM_INFINITY,) * 2, sys.maxsize)])
def test_what_the_system_says(says: tuple[int, int], files: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: says)
    assert open_files() == files
