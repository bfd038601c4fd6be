import pytest

from tollway.gateway.stages import prepare_request
from tollway.wire.chat import parse_chat
from unit.gateway.fakes import body_of, exchange, services


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}, {"include_usage": False, "other": 1}])
def test_usage_is_always_asked_for(options: object) -> None:
    one = exchange()
    one.request = parse_chat(body_of(stream=True, stream_options=options))
    one.provider_config = None
    before = dict(one.request.body)
    prepared = prepare_request.run(one, services())
    sent = prepared["stream_options"]
    assert isinstance(sent, dict)
    assert sent["include_usage"] is True
    assert one.request.body == before  # what came in survives
