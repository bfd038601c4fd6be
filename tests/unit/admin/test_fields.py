import pytest

from tollway.admin.fields import check_amount, check_email, check_page, check_reference, check_text
from tollway.admin.records import Page
from tollway.errors import Code, Problem
from tollway.money import MICRODOLLARS_MAX


@pytest.mark.parametrize(
    ("text", "expected"), [("a@b", "a@b"), ("  Ann@Example.COM ", "ann@example.com"), ('"x@y"@z.org', '"x@y"@z.org')]
)
def test_addresses_are_trimmed_and_lower_cased(text: str, expected: str) -> None:
    assert check_email(text) == expected


@pytest.mark.parametrize("text", ["", "ann", "@example.com", "ann@", "a b@c", "a@b\0", "a\n@b", "a" * 320 + "@b"])
def test_other_addresses_are_refused(text: str) -> None:
    assert _code(check_email(text)) is Code.BAD_REQUEST


def test_text_is_trimmed_and_measured() -> None:
    assert check_text("name", "  Ann  ") == "Ann"
    assert check_text("name", "n" * 100) == "n" * 100
    assert _code(check_text("name", "n" * 101)) is Code.BAD_REQUEST
    assert _code(check_text("name", "  ", least=1)) is Code.BAD_REQUEST


@pytest.mark.parametrize("text", ["a\0b", "a\x1b[31mb", "a\nb", "a\u202eb", "\ud800"])
def test_control_characters_are_refused_and_not_repeated(text: str) -> None:
    problem = check_text("label", text)
    assert isinstance(problem, Problem)
    assert problem.shown == problem.detail == "label: contains control characters"


def test_amounts_have_bounds() -> None:
    assert check_amount("limit", 0) == 0
    assert check_amount("limit", MICRODOLLARS_MAX) == MICRODOLLARS_MAX
    assert _code(check_amount("limit", -1)) is Code.BAD_REQUEST
    assert _code(check_amount("limit", MICRODOLLARS_MAX + 1)) is Code.BAD_REQUEST
    assert _code(check_amount("amount", 0, least=1)) is Code.BAD_REQUEST


@pytest.mark.parametrize("page", [Page(0), Page(201), Page(10, ""), Page(10, "a\0")])
def test_pages_have_bounds(page: Page) -> None:
    assert _code(check_page(page)) is Code.BAD_REQUEST
    assert check_page(Page(200, "id")) == Page(200, "id")


def test_a_reference_that_nothing_can_be_called_is_empty() -> None:
    assert check_reference(" ann ") == "ann"
    assert check_reference("a\0") == check_reference("x" * 501) == ""


def _code(result: object) -> Code | None:
    return result.code if isinstance(result, Problem) else None
