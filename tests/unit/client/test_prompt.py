"""Words, standard input and files as one message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.client.errors import ClientError
from tollway.client.prompt import Attachment, as_text, content_of, filled_template, message_text

BEGINNINGS = {
    "image/png": b"\x89PNG\r\n\x1a\n" + bytes(20),
    "image/jpeg": b"\xff\xd8\xff\xe0" + bytes(20),
    "image/gif": b"GIF89a" + bytes(20),
    "image/webp": b"RIFF\x00\x00\x00\x00WEBPVP8 " + bytes(20),
}


@given(st.lists(st.text(), max_size=4), st.text())
def test_nothing_is_lost_and_nothing_quoted(words: list[str], piped: str) -> None:
    typed = " ".join(words)
    try:
        text = message_text(words, piped)
    except ClientError:
        assert not typed.strip()
        assert not piped.strip()
    else:
        assert text in {typed, piped, f"{typed}\n{piped}"}
        assert typed.strip() in text
        assert piped.strip() in text


@pytest.mark.parametrize("media_type", BEGINNINGS)
def test_an_image_is_known_by_its_bytes(media_type: str) -> None:
    parts = content_of("look", [Attachment("notes.txt", BEGINNINGS[media_type])])
    assert isinstance(parts, list)
    assert parts[0]["image_url"]["url"].startswith(f"data:{media_type};base64,")
    assert parts[1] == {"type": "text", "text": "look"}


def test_a_pdf_is_a_file() -> None:
    (part, _) = content_of("", [Attachment("a.pdf", b"%PDF-1.7\xff")])
    assert part["type"] == "file"  # type: ignore[index]
    assert part["file"]["filename"] == "a.pdf"  # type: ignore[index]
    assert part["file"]["file_data"].startswith("data:application/pdf;base64,")  # type: ignore[index]


@pytest.mark.parametrize("data", [b"\xff\xfe", b"a\0b", b"BM" + bytes(30), b"II*\0" + bytes(30)])
def test_what_no_model_reads_is_refused(data: bytes) -> None:
    with pytest.raises(ClientError, match="thing"):
        content_of("", [Attachment("thing", data)])


def test_text_stays_text() -> None:
    assert content_of("hi", []) == "hi"
    assert as_text("ä".encode()) == "ä"


@pytest.mark.parametrize(
    ("template", "text", "expected"),
    [
        ("Review $ARGUMENTS!", "this", "Review this!"),
        ("Review", "this", "Review\n\nthis"),
        ("Review", "", "Review"),
        ("$ARGUMENTS", "$ARGUMENTS", "$ARGUMENTS"),
    ],
)
def test_a_template(template: str, text: str, expected: str) -> None:
    assert filled_template(template, text) == expected
