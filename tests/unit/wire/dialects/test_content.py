from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollway.wire.dialects.content import (
    DataUrl,
    cache_mark,
    data_url,
    file_of,
    image_url_of,
    message_text,
    parts_of,
    read_data_url,
    sniffed_image_type,
    text_data_url,
    text_of,
    web_url,
)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("data:image/png;base64,AAAA", DataUrl("image/png", "AAAA")),
        ("DATA:Image/PNG;charset=x;BASE64,AAAA", DataUrl("image/png", "AAAA")),
        ("data:;base64,AAAA", DataUrl("application/octet-stream", "AAAA")),
        ("data:text/plain,a%20b,c", DataUrl("text/plain", b64encode(b"a b,c").decode())),
        ("data:image/png;base64", None),
        ("http://x/y.png", None),
        ("", None),
        (None, None),
        (1, None),
    ],
)
def test_data_urls(url: Any, expected: DataUrl | None) -> None:
    assert read_data_url(url) == expected


@given(st.binary(max_size=40), st.sampled_from(["image/png", "application/pdf"]))
def test_a_data_url_is_read_as_it_was_written(data: bytes, media_type: str) -> None:
    written = b64encode(data).decode()
    assert read_data_url(data_url(media_type, written)) == DataUrl(media_type, written)


@given(st.text(max_size=40).filter(lambda text: text.isprintable()))
def test_text_in_a_data_url(text: str) -> None:
    read = read_data_url(text_data_url(text))
    assert read is not None
    assert (read.media_type, read.text) == ("text/plain", text)


def test_data_that_is_no_base64() -> None:
    assert DataUrl("text/plain", "%%%").text is None
    assert DataUrl("text/plain", "ä").text is None
    assert DataUrl("text/plain", b64encode(b"\xff").decode()).text == "�"


@pytest.mark.parametrize(
    ("begin", "media_type"),
    [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\x01\x02\x03\x04WEBPVP8 ", "image/webp"),
        (b"BM\x00\x00", "image/bmp"),
        (b"II*\0\x08", "image/tiff"),
        (b"MM\0*\x08", "image/tiff"),
        (b"\0\0\0\x20ftypavif", "image/avif"),
        (b"\0\0\0\x20ftypheic", "image/heic"),
        (b"RIFF\x01\x02\x03\x04WAVE", None),
        (b"%PDF", None),
        (b"", None),
    ],
)
def test_what_the_first_bytes_say(begin: bytes, media_type: str | None) -> None:
    assert sniffed_image_type(b64encode(begin + b"x" * 100).decode()) == (media_type if begin else None)


@given(st.text(max_size=30))
def test_any_text_may_stand_for_an_image(text: str) -> None:
    sniffed_image_type(text)


@pytest.mark.parametrize(
    ("declared", "data", "media_type"),
    [
        ("image/gif", b"\x89PNG", "image/png"),
        ("image/gif", b"????", "image/gif"),
        ("image/*", b"????", "image/jpeg"),
    ],
)
def test_the_bytes_are_believed_first(declared: str, data: bytes, media_type: str) -> None:
    assert DataUrl(declared, b64encode(data).decode()).image_type == media_type


@pytest.mark.parametrize("url", ["http://x/y.png", "https://x.example/a?b=c#d", "HTTPS://x"])
def test_urls(url: str) -> None:
    assert web_url(url) == url


@pytest.mark.parametrize(
    "url", ["not a url", "ftp://x/y", "http://", "https:///x", "http://x/\ny", "http://[x", "file:///x", "", None, {}]
)
def test_what_is_no_url(url: Any) -> None:
    assert web_url(url) is None


def test_texts() -> None:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url"},
        "x",
        {"type": "text", "text": None},
        {"type": "text", "text": "b"},
    ]
    assert message_text(parts) == "ab"
    assert message_text("ab") == "ab"
    assert message_text(None) == message_text(5) == ""
    assert text_of({"type": "image_url", "text": "a"}) is None
    assert list(parts_of({"type": "text"})) == []


def test_members_of_parts() -> None:
    assert image_url_of({"image_url": {"url": "u"}}) == image_url_of({"image_url": "u"}) == "u"
    assert image_url_of({}) is None
    file = file_of({"file": {"file_data": "data:application/pdf;base64,AA==", "filename": "x.pdf"}})
    assert (file.data_url, file.filename) == (DataUrl("application/pdf", "AA=="), "x.pdf")
    assert file_of({"file": "x"}).data_url is file_of({}).filename is None
    assert cache_mark({"cache_control": {"type": "ephemeral"}}) == {"type": "ephemeral"}
    assert cache_mark({}) is cache_mark({"cache_control": None}) is cache_mark({"cache_control": "x"}) is None
