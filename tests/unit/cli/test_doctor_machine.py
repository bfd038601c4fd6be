"""Folders, files and ports as `tollway doctor` finds them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from tollway.cli import doctor_machine as machine
from tollway.settings import Settings, parse


def settings(folder: Path, **more: Any) -> Settings:
    return parse({"state_dir": str(folder), **more})


def test_a_folder_that_is_not_there_yet_is_not_made(tmp_path: Path) -> None:
    state = tmp_path / "a" / "var"
    (found,) = machine.look_at_folders(settings(state))
    assert (found.state, found.words) == ("ok", f"{state} is not there yet; serving makes it")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "journal").mkdir()
    found = machine.look_at_folders(settings(tmp_path))
    assert [one.check for one in found] == ["state_dir", "journal folder", "disk"]
    assert [path.name for path in tmp_path.rglob("*")] == ["journal"]


@pytest.mark.parametrize("make", [Path.touch, lambda path: path.symlink_to("/nowhere")], ids=["file", "dangling link"])
def test_journals_in_what_is_no_folder(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "journal")
    assert [one.state for one in machine.look_at_folders(settings(tmp_path))][:2] == ["ok", "failed"]


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a disk without unnamed files the permissions are asked; of any other, the disk itself."""

    def refuse(number: int) -> None:
        def open_(*_: object) -> int:
            raise OSError(number, "no")

        monkeypatch.setattr(machine.os, "open", open_)

    refuse(30)  # EROFS
    assert machine.look_at_folders(settings(tmp_path))[0].words == f"{tmp_path} cannot be written: no"
    refuse(95)  # EOPNOTSUPP
    assert machine.look_at_folders(settings(tmp_path))[0].state == "ok"
    monkeypatch.setattr(machine.os, "access", lambda *_: False)
    assert machine.look_at_folders(settings(tmp_path))[0].state == "failed"


def test_files_of_secrets_are_found_wherever_settings_name_them(tmp_path: Path) -> None:
    names = ("pepper", "token", "provider", "key-pepper", "authority")
    for name in names:
        (tmp_path / name).touch(0o644)
    tree = {
        "key_pepper_file": str(tmp_path / "pepper"),
        "notices": {"token_file": str(tmp_path / "token")},
        "anon_id_key_file": str(tmp_path / "nowhere"),
        "providers": {
            "openai": {"api_key_file": str(tmp_path / "provider"), "ca_file": str(tmp_path / "authority")},
        },
    }
    found = machine.look_at_secret_files(settings(tmp_path, **tree))
    assert {one.words.partition(" ")[0] for one in found} == {str(tmp_path / name) for name in names[:4]}
    assert {one.state for one in found} == {"warning"}


def test_a_port() -> None:
    assert machine.look_at_port(parse({"listen": "127.0.0.1:0"})).words == "serving picks a free port"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert machine.look_at_port(parse({"listen": f"127.0.0.1:{port}"})).state == "ok"
    assert machine.look_at_port(parse({"listen": "192.0.2.1:80"})).state == "failed"


@pytest.mark.parametrize(
    ("body", "state", "words"),
    [
        (b'{"status":"ready"}', "ok", "is ready"),
        (b'{"status":"failing","failing":["journal"]}', "failed", "is not ready"),
        (b"<html>", "failed", "another program"),
    ],
)
def test_who_has_the_port(body: bytes, state: str, words: str) -> None:
    with answering(body) as port:
        found = machine.look_at_port(parse({"listen": f"127.0.0.1:{port}"}))
    assert (found.state, words in found.words) == (state, True)


def test_a_neighbour_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "CHECK_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = machine.look_at_port(parse({"listen": f"127.0.0.1:{silent.getsockname()[1]}"}))
    assert found.state == "failed"


@contextmanager
def answering(body: bytes) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()
