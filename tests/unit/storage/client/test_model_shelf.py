from decimal import Decimal
from math import inf
from pathlib import Path

import pytest

from tollway.catalog.client_model import ClientModel, Cost
from tollway.storage.client.model_shelf import ModelShelf

MODELS = {
    "a/b": ClientModel(
        id="a/b", name="B", cost=Cost(input=Decimal("0.000000000000000000123"), cache_read=Decimal("0.3"))
    ),
    "c/d": ClientModel(id="c/d", name="D", options={"x": [1]}),
}


class Clock:
    now = 1_795_000_000

    def __call__(self) -> int:
        return self.now


def test_what_is_put_is_taken_as_it_was(tmp_path: Path) -> None:
    clock = Clock()
    shelf = ModelShelf(tmp_path, clock)
    shelf.put("p-1", MODELS)
    clock.now += 77
    assert ModelShelf(tmp_path, clock).take("p-1") == (MODELS, 77)
    assert shelf.take("p-2") is None
    clock.now -= 1_000
    assert shelf.take("p-1") == (MODELS, inf)


def test_forgotten_by_the_beginning_of_the_name(tmp_path: Path) -> None:
    shelf = ModelShelf(tmp_path, Clock())
    for name in ("p-1", "p-2", "q-1"):
        shelf.put(name, MODELS)
    shelf.forget("p-")
    assert [shelf.take(name) is None for name in ("p-1", "p-2", "q-1")] == [True, True, False]


@pytest.mark.parametrize("text", ["", "{", '{"fetched_at":"x","models":[]}', '{"fetched_at":1,"models":[{"id":1}]}'])
def test_what_cannot_be_read_is_not_there(tmp_path: Path, text: str) -> None:
    shelf = ModelShelf(tmp_path, Clock())
    shelf.put("p-1", MODELS)
    (tmp_path / "models" / "p-1.json").write_text(text)
    assert shelf.take("p-1") is None


def test_a_disk_that_cannot_be_written_is_no_reason_to_fail(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shelf = ModelShelf(tmp_path / "file", Clock())
    shelf.put("p-1", MODELS)
    shelf.forget("p-")
    assert shelf.take("p-1") is None
