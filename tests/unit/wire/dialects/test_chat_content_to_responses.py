from typing import Any

import pytest

from tollway.wire.dialects.chat_content_to_responses import assistant_parts, result_output, user_parts
from tollway.wire.dialects.refusal import RefusedError
from unit.wire.dialects.dialogues import PDF, PNG

WEB = "https://example.com/a"
TEXT = {"type": "input_text", "text": "x"}


def image(url: Any, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def file(data: Any, **more: Any) -> dict[str, Any]:
    return {"type": "file", "file": {"file_data": data, **more}}


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ("x", [TEXT]),
        ("", []),
        (None, []),
        ([{"type": "text", "text": ""}, {"type": "text", "text": "x"}], [TEXT]),
        ([image(PNG)], [{"type": "input_image", "image_url": PNG}]),
        ([{"type": "image_url", "image_url": WEB}], [{"type": "input_image", "image_url": WEB}]),
        ([image(PNG.replace("png", "gif"))], [{"type": "input_image", "image_url": PNG}]),
        ([image("data:image/*;base64,eA==")], [{"type": "input_image", "image_url": "data:image/jpeg;base64,eA=="}]),
        ([image(WEB, detail="high")], [{"type": "input_image", "image_url": WEB, "detail": "high"}]),
        ([image(WEB, detail="odd")], [{"type": "input_image", "image_url": WEB}]),
        ([file(PDF, filename="a.pdf")], [{"type": "input_file", "filename": "a.pdf", "file_data": PDF}]),
        (
            [{"type": "text", "text": ""}, {"type": "text", "text": "x"}, file(PDF)],
            [TEXT, {"type": "input_file", "filename": "part-1.pdf", "file_data": PDF}],
        ),
        ([file(WEB, filename="a.pdf")], [{"type": "input_file", "file_url": WEB}]),
    ],
)
def test_users(content: Any, parts: list[dict[str, Any]]) -> None:
    assert user_parts(content) == parts


@pytest.mark.parametrize(
    "part",
    [
        image("not a url"),
        image(None),
        image("ftp://example.com/a.png"),
        {"type": "image_url"},
        file("data:text/plain;base64,eA=="),
        file("just text"),
        {"type": "file"},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": ["text"]},
        {},
    ],
)
def test_parts_that_are_not_understood(part: dict[str, Any]) -> None:
    with pytest.raises(RefusedError, match="Unsupported content part"):
        user_parts([part])


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ("x", ["x"]),
        (None, []),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": ""}, {"type": "text"}], ["a"]),
        ([{"type": "refusal", "refusal": "No."}, {"type": "image_url"}, {"type": "refusal", "refusal": 5}], ["No."]),
    ],
)
def test_assistants(content: Any, texts: list[str]) -> None:
    assert assistant_parts(content) == [{"type": "output_text", "text": text} for text in texts]


@pytest.mark.parametrize(
    ("content", "output"),
    [
        ("x", "x"),
        ("", ""),
        (None, ""),
        ([{"type": "text", "text": "x"}], [TEXT]),
        ([image(PNG)], [{"type": "input_image", "image_url": PNG}]),
        ([image(WEB)], [{"type": "input_text", "text": WEB}]),
        ([image(None), file(None), {"type": "input_audio"}, {"type": "odd"}], []),
        ([file(PDF, filename="a.pdf")], [{"type": "input_file", "filename": "data", "file_data": PDF}]),
        ([file("data:image/gif;base64,iVBORw0KGgo=")], [{"type": "input_image", "image_url": PNG}]),
        ([file("data:text/plain;base64,eA==")], []),
        ([file("just text")], [{"type": "input_text", "text": "just text"}]),
    ],
)
def test_results_of_calls(content: Any, output: Any) -> None:
    assert result_output(content) == output
