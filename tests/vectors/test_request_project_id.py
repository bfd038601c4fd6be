"""Vectors PI1 to PI24 of request-path."""

import pytest

from tollway.gateway.context import Contexts
from tollway.storage.presets import load_preset
from tollway.wire.client_headers import project_id

HANDBOOK = "https://github.com/Kilo-Org/handbook"
REPO = "https://github.com/org/repo.git"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(f"{HANDBOOK}.git", "handbook", id="request:PI1"),
        pytest.param(HANDBOOK, "handbook", id="request:PI2"),
        pytest.param(f"{HANDBOOK}.GIT", "handbook", id="request:PI3"),
        pytest.param("http://github.com/user/repo.git", "repo", id="request:PI4"),
        pytest.param("https://github.com/org/team/subteam/project.git", "project", id="request:PI5"),
        pytest.param("git@github.com:Kilo-Org/handbook.git", "handbook", id="request:PI6"),
        pytest.param("git@github.com:22/user/repo.git", "repo", id="request:PI7"),
        pytest.param(f"{REPO}?ref=main", f"{REPO}?ref=main", id="request:PI8"),
        pytest.param(f"{REPO}#readme", f"{REPO}#readme", id="request:PI9"),
        pytest.param("https://example.com/path", "path", id="request:PI10"),
        pytest.param("https://github.com/org/my.repo.name.git", "my.repo.name", id="request:PI11"),
        pytest.param("https://github.com/org/repo.git.backup/project.git", "project", id="request:PI12"),
        pytest.param("https://user:pw@host/org/repo.git", "repo", id="request:PI13"),
        pytest.param("HTTPS://GitHub.com/Org/Repo.git", "Repo", id="request:PI14"),
        pytest.param("ssh://git@github.com/org/repo.git", "ssh://git@github.com/org/repo.git", id="request:PI15"),
        pytest.param("my-project", "my-project", id="request:PI16"),
        pytest.param("https://github.com/", "https://github.com/", id="request:PI17"),
        pytest.param("git@github.com:.git", ".git", id="request:PI18"),
        pytest.param(None, None, id="request:PI19-absent"),
        pytest.param("", None, id="request:PI19-empty"),
        pytest.param(f"{REPO} ", f"{REPO} ", id="request:PI20-space"),
        pytest.param(f"{REPO}\n", f"{REPO}\n", id="request:PI20-newline"),
        pytest.param("   ", "   ", id="request:PI21-spaces"),
        pytest.param("project\nname", "project\nname", id="request:PI21-newline"),
        pytest.param("https://github.com/org/repo/", None, id="request:PI22-slash"),
        pytest.param("https://github.com/user/.git", None, id="request:PI22-git"),
        pytest.param(300 * "a", 256 * "a", id="request:PI23"),
        pytest.param(f"https://github.com/{300 * 'a'}/repo.git", 237 * "a", id="request:PI24"),
    ],
)
def test_project_ids(value: str | None, expected: str | None) -> None:
    assert project_id(value) == expected
    headers = {} if value is None else {b"x-kilocode-projectid": value.encode()}
    assert Contexts(load_preset("kilo")).read(headers, "/v1/chat/completions").project_id == expected
