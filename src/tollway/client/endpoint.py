"""What is sent to a gateway from a developer's machine: where to, and the heads of its requests.

Source: catalog-and-clients C.2, C.9.1, C.11, D.3.5.
"""

import re
from typing import Final
from urllib.parse import quote, urlsplit

from msgspec import Struct

from tollway import __version__
from tollway.client.errors import ClientError
from tollway.client.gateways import Gateway, origin_of
from tollway.providers.provider import CHAT_COMPLETIONS
from tollway.providers.registry import Origin, Upstream

MODELS: Final = "/models"
REFERER: Final = "https://github.com/tollway/tollway"
TITLE: Final = "Tollway"
USER_AGENT: Final = f"tollway/{__version__}"
_ORGANIZATION_HEADER: Final = "X-Tollway-OrganizationId"
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}")
_OURS: Final = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding"})


class Endpoint(Struct, frozen=True):
    """`upstream` is what the network code takes; its `head` is that of a chat request. `list_head` is a whole head but
    for the empty line that ends it. Both hold the key, so no repr."""

    upstream: Upstream
    list_head: bytes

    def __repr__(self) -> str:
        return "Endpoint(…)"


def endpoint_of(gateway: Gateway, *, without_key: bool = False) -> Endpoint:
    """How this gateway is called; without_key: as somebody whom it does not know. Raises ClientError."""
    if not gateway.base_url:
        raise ClientError(f"{gateway.name} has no address: {_how_to_address(gateway)}")
    origin = Origin(*origin_of(gateway.base_url))
    path = urlsplit(gateway.base_url).path.rstrip("/")
    key = "" if without_key or gateway.key is None else gateway.key.text
    chat = _lines(origin, gateway, key)
    listed = _lines(origin, gateway, "" if gateway.access.has_public_list else key)
    list_path = _list_path(gateway, path) if key else path + MODELS
    return Endpoint(
        upstream=Upstream(
            id=gateway.id,
            provider=gateway.provider,
            base_url=gateway.base_url,
            origin=origin,
            head=(f"POST {path}{CHAT_COMPLETIONS}".encode(), _rest(chat | {"content-type": "application/json"})),
        ),
        list_head=f"GET {list_path}".encode() + _rest(listed),
    )


def request_head(gateway: Gateway, root: str, method: str, path: str, token: str) -> tuple[Upstream, bytes]:
    """A request without a body to `root` (an address without a path): whom to send it to, and a whole head but for the
    empty line that ends it. The user's own headers and key for this gateway are left out; `token` may be empty."""
    origin = Origin(*origin_of(root))
    lines = {"host": origin.authority, "accept": "application/json", "accept-encoding": "identity"}
    lines |= {"user-agent": USER_AGENT}
    if method != "GET":
        lines["content-length"] = "0"
    if token:
        if not token.isascii() or not token.isprintable():
            raise ClientError(f"{gateway.name} gave a token that no header can carry")
        lines["authorization"] = f"Bearer {token}"
    upstream = Upstream(gateway.id, gateway.provider, root, origin, (b"", b""))
    return upstream, f"{method} {path}".encode() + _rest(lines)


def _how_to_address(gateway: Gateway) -> str:
    setting = f"provider.{gateway.id}.options.baseURL"
    variable = gateway.access.address_variable
    return f"set {variable}, or {setting} in the configuration" if variable else f"set {setting} in the configuration"


def _list_path(gateway: Gateway, path: str) -> str:
    """Members of an organization have a list of their own, beside the gateway."""
    if not gateway.organization_id:
        return path + MODELS
    root = path.removesuffix(gateway.access.address_path)
    return f"{root}/api/organizations/{quote(gateway.organization_id, safe='')}{MODELS}"


def _lines(origin: Origin, gateway: Gateway, key: str) -> dict[str, str]:
    """Header lines by lower-case name; the user's own ones last, without those that frame the request."""
    lines = {
        "host": origin.authority,
        "accept": "application/json, text/event-stream",
        "accept-encoding": "identity",
        "user-agent": USER_AGENT,
        "http-referer": REFERER,
        "x-title": TITLE,
    }
    if key:
        if not key.isascii() or not key.isprintable():
            raise ClientError(f"{gateway.name}: the key has characters that no key has; enter it again")
        lines["authorization"] = f"Bearer {key}"
    if key and gateway.organization_id:
        lines[_ORGANIZATION_HEADER.lower()] = gateway.organization_id
    own = {name.lower(): value for name, value in gateway.config.options.headers.items() if name.lower() not in _OURS}
    for name, value in {**lines, **own}.items():
        if not _HEADER_NAME.fullmatch(name) or not value.isascii() or not value.isprintable():
            raise ClientError(f"provider {gateway.id}: the header {name!r} is not one that can be sent")
    return {**lines, **own}


def _rest(lines: dict[str, str]) -> bytes:
    """From the HTTP version on."""
    return b" HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode()
