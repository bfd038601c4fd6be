"""Checks of what people type: each gives the value as it is stored, or a Problem that names the field."""

from typing import Final

from tollway.admin.records import Page
from tollway.errors import Code, Problem
from tollway.money import MICRODOLLARS_MAX

NAME_CHARS_MAX: Final = 100
EMAIL_CHARS_MAX: Final = 320
TEXT_CHARS_MAX: Final = 500
PAGE_ROWS_MAX: Final = 200
DAILY_LIMIT_MICRODOLLARS_MAX: Final = 2_000_000_000  # 2,000 USD (request-path 9.12)


def bad(field: str, what: str) -> Problem:
    """A refusal that names the field and never repeats its value."""
    return Problem(Code.BAD_REQUEST, f"{field}: {what}", shown=f"{field}: {what}")


def missing(kind: str, name: str) -> Problem:
    return Problem(Code.NOT_FOUND, f"there is no {kind} {name!r}")


def check_email(text: str) -> str | Problem:
    """Trimmed and lower-cased, so that one address is one account."""
    email = text.strip().lower()
    local, _, domain = email.rpartition("@")
    if not local or not domain or len(email) > EMAIL_CHARS_MAX or " " in email or not email.isprintable():
        return bad("email", "is not an e-mail address")
    return email


def check_text(field: str, text: str, *, least: int = 0, most: int = NAME_CHARS_MAX) -> str | Problem:
    """Trimmed text without control characters, `least` to `most` characters long."""
    value = text.strip()
    if not least <= len(value) <= most:
        return bad(field, f"must have {least} to {most} characters")
    if not value.isprintable():
        return bad(field, "contains control characters")
    return value


def check_amount(field: str, amount: int, *, least: int = 0, most: int = MICRODOLLARS_MAX) -> int | Problem:
    """Micro-dollars from `least` to `most`."""
    if not least <= amount <= most:
        return bad(field, f"must be between {least} and {most} micro-dollars")
    return amount


def check_reference(text: str) -> str:
    """The trimmed id, name or address of something stored; empty when nothing can be called that."""
    value = text.strip()
    return value if value.isprintable() and len(value) <= TEXT_CHARS_MAX else ""


def check_page(page: Page) -> Page | Problem:
    if not 1 <= page.limit <= PAGE_ROWS_MAX:
        return bad("limit", f"must be between 1 and {PAGE_ROWS_MAX}")
    if page.before is not None and not check_reference(page.before):
        return bad("before", "is not an id")
    return page
