"""Which upstreams this deployment may call: provider records joined with the operator's settings.

Records register under the entry-point group `tollway.providers`; nothing that is not configured is ever contacted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from tollway.kept_secret import secret_text
from tollway.providers.provider import CHAT_COMPLETIONS, GENERATION, Provider
from tollway.settings_error import SettingsError

if TYPE_CHECKING:
    from tollway.catalog.preset import Preset
    from tollway.settings import ProviderSettings, Settings

GROUP: Final = "tollway.providers"
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where connections go; pools are kept per origin."""

    scheme: str
    host: str
    port: int
    ca_file: str | None = None
    is_guarded: bool = False  # others than the operator say where it is: every address is looked at before connecting

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True, repr=False)
class Upstream:
    """A configured provider. `base_url` is spelled as in the settings; `head` is the request head up to the per-request
    headers; it holds the key, so no repr."""

    id: str
    provider: Provider
    base_url: str
    origin: Origin
    head: tuple[bytes, bytes]  # before and after the query string
    lookup_head: tuple[bytes, bytes] | None = None  # of a look-up, before and after the message id; None: there is none
    takes_query: bool = True  # the caller's query string is passed on


@cache
def load_providers() -> Mapping[str, Provider]:
    """All registered records by id, as they were the first time: it takes 40 ms to look through what is installed.

    Raises SettingsError when two share an id.
    """
    records: dict[str, Provider] = {}
    for point in entry_points(group=GROUP):
        record: Provider = point.load()
        if record.id in records:
            raise SettingsError(f"providers.{record.id}: two installed packages register this provider")
        records[record.id] = record
    return records


def configured(
    settings: "Settings", records: Mapping[str, Provider] | None = None, preset: "Preset | None" = None
) -> dict[str, Upstream]:
    """The upstreams of the settings by name, without those that lack a key or address (request-path 8.6.3).

    Raises SettingsError naming the setting that is wrong.
    """
    records = load_providers() if records is None else records
    application = _application(settings, preset)
    joined = {name: _join(name, one, records, application) for name, one in settings.providers.items()}
    return {name: upstream for name, upstream in joined.items() if upstream is not None}


def site(setting: str, base_url: str, settings: "Settings", preset: "Preset | None") -> Upstream:
    """A place that is read without a key, as an upstream whose `head` is the start of a GET and what follows its path.

    Raises SettingsError naming `setting`.
    """
    origin, path = locate(setting, base_url)
    record = Provider(setting, setting, "pages", base_url, source="docs/reference/settings.md", checked="")
    rest = rest_of_head(origin, None, _application(settings, preset))
    return Upstream(setting, record, base_url, origin, (f"GET {path}".encode(), rest))


def webhook(settings: "Settings") -> Upstream | None:
    """Where notices are told, as an upstream whose `head` is complete but for the length; None: nowhere.

    Raises SettingsError naming the setting that is wrong.
    """
    notices = settings.notices
    if not notices.url:
        return None
    token = secret_text("notices.token", notices.token, notices.token_file)
    if token:
        check_header_value("notices.token", token)
    origin, path = locate("notices.url", notices.url)
    record = Provider("notices", "Notices", "webhook", notices.url, source="docs/reference/settings.md", checked="")
    head = (f"POST {path or '/'}".encode(), rest_of_head(origin, token, None))
    return Upstream("notices", record, notices.url, origin, head)


def _application(settings: "Settings", preset: "Preset | None") -> tuple[str, str]:
    """HTTP-Referer and X-Title: the operator's, else the preset's, else ours."""
    given = settings.model_fields_set
    referer = preset.identity.http_referer if preset and "http_referer" not in given else ""
    title = preset.identity.x_title if preset and "x_title" not in given else ""
    return referer or settings.http_referer, title or settings.x_title


def _join(
    name: str, one: "ProviderSettings", records: Mapping[str, Provider], application: tuple[str, str]
) -> Upstream | None:
    record = records.get(one.kind or name)
    if record is None:
        raise SettingsError(f"providers.{name}.kind: must be one of {', '.join(sorted(records))}")
    key = secret_text(f"providers.{name}.api_key", one.api_key, one.api_key_file)
    if record.needs_key and not (key and (one.base_url or record.base_url)):
        return None
    if one.stops_billing_on_abort is not None:
        record = replace(record, stops_billing_on_abort=one.stops_billing_on_abort)
    if one.reports_cost is not None:
        record = replace(record, reports_cost=one.reports_cost)
    if one.generation_lookup is not None:
        record = replace(record, generation_lookup=one.generation_lookup)
    base_url = one.base_url or record.base_url
    origin, path = locate(f"providers.{name}.base_url", base_url, str(one.ca_file) if one.ca_file else None)
    if key:
        check_header_value(f"providers.{name}.api_key", key)
    rest = rest_of_head(origin, key, application if record.identifies_application else None)
    return Upstream(
        id=name,
        provider=record,
        base_url=base_url,
        origin=origin,
        head=(f"POST {path}{CHAT_COMPLETIONS}".encode(), rest),
        lookup_head=(f"GET {path}{GENERATION}?id=".encode(), rest) if record.generation_lookup else None,
    )


def locate(setting: str, base_url: str, ca_file: str | None = None) -> tuple[Origin, str]:
    """Where an address that the operator gave is, and the path there. Raises SettingsError, which names `setting`."""
    if not base_url:
        raise SettingsError(f"{setting}: must be set for this provider")
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        raise SettingsError(f"{setting}: is not a URL") from None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise SettingsError(f"{setting}: must be http(s)://host[:port][/path] without user, query or fragment")
    if not all("!" <= character <= "~" for character in parts.hostname + parts.path):
        raise SettingsError(f"{setting}: must be plain ASCII")
    return Origin(parts.scheme, parts.hostname, port or _PORTS[parts.scheme], ca_file), parts.path.rstrip("/")


def rest_of_head(origin: Origin, key: str | None, application: tuple[str, str] | None) -> bytes:
    """The constant part of every request to this upstream, from the HTTP version on.

    Source: request-path 11.12, guarantees N2.
    """
    lines = [
        f"Host: {origin.authority}",
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        "Accept-Encoding: identity",
        "User-Agent: Tollway",
    ]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    if application:
        referer, title = application
        check_header_value("http_referer", referer)
        check_header_value("x_title", title)
        lines += [f"HTTP-Referer: {referer}", f"X-Title: {title}"]
    rest = "".join(f"{line}\r\n" for line in lines)
    return f" HTTP/1.1\r\n{rest}".encode()


def check_header_value(setting: str, text: str) -> None:
    """It becomes part of a header as it stands. Raises SettingsError."""
    if not text.isascii() or not text.isprintable():
        raise SettingsError(f"{setting}: must be printable ASCII")
