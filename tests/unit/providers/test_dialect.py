from tollway.providers.dialect import without_stray_stream_options


def test_stream_options_stay_with_a_stream() -> None:
    body = {"model": "m", "stream": True, "stream_options": {"include_usage": True}}
    assert without_stray_stream_options(body, True) is body


def test_without_a_stream_they_go() -> None:
    body = {"model": "m", "stream_options": {"include_usage": True}}
    assert without_stray_stream_options(body, False) == {"model": "m"}
    assert "stream_options" in body
    assert without_stray_stream_options({"model": "m"}, False) == {"model": "m"}
