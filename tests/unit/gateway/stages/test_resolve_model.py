from tollway.gateway.stages import resolve_model
from tollway.storage.presets import load_preset
from tollway.wire.chat import ChatRequest, parse_chat
from unit.gateway.fakes import body_of, exchange, services

KILO = load_preset("kilo")


def resolve(model: str, mode: str | None = None) -> tuple[ChatRequest, ChatRequest]:
    """What was asked, and what it means."""
    one, everything = exchange(), services(preset=KILO)
    headers = {b"x-kilocode-mode": mode.encode()} if mode else {}
    one.asked, one.context = parse_chat(body_of(model=model)), everything.contexts.read(headers, "")
    return one.asked, resolve_model.run(one, everything)


def test_an_ordinary_request_is_the_very_same() -> None:
    asked, request = resolve("vendor/name")
    assert request is asked


def test_an_auto_model_in_any_spelling_and_by_its_alias() -> None:
    for name in ("kilo/auto", "KILO/Auto", "kilo-auto/frontier"):
        asked, request = resolve(name, "plan")
        assert (asked.model, request.model, request.auto_model) == (name, "anthropic/claude-opus-4.6", "kilo/auto")
