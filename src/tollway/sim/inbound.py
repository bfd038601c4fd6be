"""A request as the connection hands it over."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Inbound:
    """A request, fully read. `path` has no query; header names are as received; `connection` is its number."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    connection: int
    keep_alive: bool

    _values: dict[str, str] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._values.update([(name.lower(), value) for name, value in self.headers])

    def header(self, name: str) -> str | None:
        """The last header of this (lower-case) name."""
        return self._values.get(name)
