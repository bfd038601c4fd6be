from tollway.providers.registry import configured
from tollway.providers.tollway import PROVIDER
from tollway.settings import parse


def test_only_its_operator_can_say_where_it_is() -> None:
    assert PROVIDER.base_url == ""
    assert configured(parse({"providers": {"tollway": {"api_key": "k"}}})) == {}
    section = {"api_key": "k", "base_url": "https://t.example/api/gateway"}
    (one,) = configured(parse({"providers": {"tollway": section}})).values()
    assert one.head[0] == b"POST /api/gateway/chat/completions"
