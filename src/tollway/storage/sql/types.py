"""Column types that mean the same on SQLite and PostgreSQL: instants, exact decimals, lists of texts."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from msgspec import json
from sqlalchemy import JSON, BigInteger, Text
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine

# A JSON value; none at all is NULL.
JSON_VALUE: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class _SealedText(sqlite.JSON):
    """Text that is no JSON any more reads as an empty object: a secret that does not open, which is its owner's trouble
    alone, and not an error of whatever is read together with it."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        read = super().result_processor(dialect, coltype)
        assert read

        def process(value: Any) -> Any:
            try:
                return read(value)
            except (TypeError, ValueError):  # the former of a bare number, which SQLite makes one of its own
                return {}

        return process

    def adapt(self, cls: Any, **_: Any) -> Any:  # noqa: ARG002  (signature)
        """Not to the driver's own type, which would read without this."""
        return self


# A sealed secret; none at all is NULL.
SEALED_VALUE: Final = JSON_VALUE.with_variant(_SealedText(none_as_null=True), "sqlite")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_encode: Final = json.Encoder().encode


def microseconds(instant: datetime) -> int:
    """Since 1970, as SQLite stores an instant. Raises TypeError for a naive one."""
    since = instant - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def decimal_text(number: Decimal) -> str:
    """Digit for digit, without an exponent."""
    return _without_exponent(str(number))


@lru_cache(maxsize=4096)  # prices, which are few; the text as key, because decimals of different digits may be equal
def _without_exponent(number: str) -> str:
    return format(Decimal(number), "f")


def list_text(texts: Sequence[str]) -> str:
    """A JSON array in the one spelling there is of it here."""
    return _encode(texts).decode()


class UtcInstant(TypeDecorator[datetime]):
    """An aware instant: `timestamptz` on PostgreSQL, whole microseconds since 1970 on SQLite, so that both compare
    and sort rightly. Naive values are refused; what comes back is in UTC."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone cannot be stored")
        return value if dialect.name == "postgresql" else microseconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002  (signature)
        if value is None:
            return None
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return _EPOCH + timedelta(microseconds=int(value))


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal kept as text, digit for digit, because neither database's numbers are exact to 10⁻¹² on both sides."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:  # noqa: ARG002  (signature)
        return None if value is None else decimal_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Decimal | None:  # noqa: ARG002  (signature)
        return None if value is None else Decimal(value)


class TextList(TypeDecorator[tuple[str, ...]]):
    """A short list of texts as one JSON text in a single spelling, so that equal lists group together."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: tuple[str, ...] | None, dialect: Dialect) -> str | None:  # noqa: ARG002  (signature)
        return None if value is None else list_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> tuple[str, ...] | None:  # noqa: ARG002  (signature)
        return None if value is None else json.decode(value, type=tuple[str, ...])
