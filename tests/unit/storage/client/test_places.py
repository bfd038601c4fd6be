from pathlib import Path

from tollway.storage.client.places import places_of


def test_the_folders_of_the_specification() -> None:
    found = places_of({"HOME": "/home/ann"})
    assert (found.config, found.cache) == (Path("/home/ann/.config/tollway"), Path("/home/ann/.cache/tollway"))
    assert found.credentials == Path("/home/ann/.local/share/tollway/auth.json")


def test_the_environment_moves_them() -> None:
    environ = {"HOME": "/home/ann", "XDG_CONFIG_HOME": "/c", "XDG_DATA_HOME": "/d", "XDG_CACHE_HOME": "relative"}
    found = places_of(environ)
    assert (found.config, found.data) == (Path("/c/tollway"), Path("/d/tollway"))
    assert found.cache == Path("/home/ann/.cache/tollway"), "what is not absolute does not count"
    assert places_of({**environ, "TOLLWAY_CONFIG_DIR": "/mine"}).config == Path("/mine")
