import json
from pathlib import Path

import pytest

from tollway.client.configuration import ClientConfig
from tollway.client.errors import ClientError
from tollway.storage.client.configuration import load_config
from tollway.storage.client.places import places_of


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """home/ with a configuration folder, and repo/ with a folder inside."""
    (tmp_path / "home/.config/tollway").mkdir(parents=True)
    (tmp_path / "repo/.git").mkdir(parents=True)
    (tmp_path / "repo/inner/deep").mkdir(parents=True)
    return tmp_path


def load(root: Path, folder: str = "repo/inner/deep", **environ: str) -> ClientConfig:
    environ = {"HOME": str(root / "home"), **environ}
    return load_config(places_of(environ), environ, root / folder)


def put(path: Path, **tree: object) -> Path:
    path.write_text("// mine\n" + json.dumps(tree))
    return path


def test_the_nearest_file_counts_and_a_variable_more(project: Path) -> None:
    put(project / "tollway.json", model="outside/m")
    assert load(project).model == "", "above the root of the repository nothing is looked for"
    put(project / "home/.config/tollway/tollway.jsonc", model="global/m", small_model="global/s")
    assert load(project).model == "global/m"
    put(project / "repo/tollway.json", model="root/m")
    put(project / "repo/inner/tollway.jsonc", model="inner/m")
    assert (load(project).model, load(project).small_model) == ("inner/m", "global/s")
    assert load(project, TOLLWAY_CONFIG_CONTENT='{"model": "inline/m"}').model == "inline/m"


def test_outside_of_a_repository_only_the_folder_itself(project: Path) -> None:
    put(project / "home/tollway.json", model="here/m")
    assert load(project, "home").model == "here/m"
    (project / "home/below").mkdir()
    assert load(project, "home/below").model == ""


def test_another_folder_instead_of_the_global_one(project: Path) -> None:
    put(project / "home/.config/tollway/tollway.json", model="global/m")
    (project / "mine").mkdir()
    put(project / "mine/tollway.json", model="mine/m")
    assert load(project, TOLLWAY_CONFIG_DIR=str(project / "mine")).model == "mine/m"


def test_files_that_are_named(project: Path) -> None:
    (project / "home/key").write_text("from-home\n")
    (project / "home/.config/tollway/key").write_text("from-beside")
    options = {"apiKey": "{file:~/key}", "headers": {"a": "{file:key}"}}
    put(project / "home/.config/tollway/tollway.json", provider={"p": {"options": options}})
    found = load(project).provider["p"].options
    assert (found.api_key, found.headers) == ("from-home", {"a": "from-beside"})


@pytest.mark.parametrize(
    ("text", "where"),
    [('{\n  "a": }', ":2:8: "), ("\xff", ": cannot be read"), ("x" * (1024**2 + 1), ": cannot be read")],
)
def test_a_broken_file_is_named(project: Path, text: str, where: str) -> None:
    path = project / "repo/tollway.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ClientError) as caught:
        load(project)
    assert str(caught.value).startswith(f"{path}{where}")


def test_a_file_that_is_named_and_missing(project: Path) -> None:
    path = put(project / "repo/tollway.json", model="{file:gone}")
    with pytest.raises(ClientError, match="gone") as caught:
        load(project)
    assert str(caught.value).startswith(str(path))


def test_a_broken_variable_is_named(project: Path) -> None:
    with pytest.raises(ClientError, match=r"^TOLLWAY_CONFIG_CONTENT:1:2: "):
        load(project, TOLLWAY_CONFIG_CONTENT="{")
