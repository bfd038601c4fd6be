import pytest

from tollway.catalog.classification import ModelKind
from tollway.gateway.stages import classify_model
from tollway.storage.presets import load_preset
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import body_of, exchange, model, services

HOSTED = "minimax/minimax-m2.5:free"


def classify(name: str, catalog: str = HOSTED) -> ModelKind:
    one = exchange()
    one.request = parse_chat(body_of(model=name))
    return classify_model.run(one, services(preset=load_preset("kilo"), model=model(id_=catalog)))


@pytest.mark.parametrize("name", [HOSTED, HOSTED.upper(), "minimax-m2.5:free", "MiniMax-M2.5:free"])
def test_no_spelling_escapes_a_rule(name: str) -> None:
    assert classify(name).is_hosted_free


def test_what_the_catalog_does_not_have_is_classified_all_the_same() -> None:
    assert classify("Z-AI/GLM-5:free", catalog="a/b").is_dead
    assert not classify("a/b:FREE-ish").is_free
