"""What a request cost and why, as the management API gets it from the books."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias


class Told(Protocol):
    """One request; both as JSON-ready fields, the second without what is between the operator and the upstreams."""

    @property
    def user_id(self) -> str: ...

    @property
    def organization_id(self) -> str | None: ...

    @property
    def as_fields(self) -> Mapping[str, Any]: ...

    @property
    def for_callers(self) -> Mapping[str, Any]: ...


Explain: TypeAlias = Callable[[str], Awaitable[Told | None]]
