"""Where requests come from, as it is stored: encoded once for all that say the same of themselves.

Source: request-path 13.2, 13.3, 13.6.
"""

from typing import Final

from tollway.billing.particulars import Origin, encode_origin, storable
from tollway.gateway.context import Context
from tollway.limits.addresses import origin_name
from tollway.wire.client_headers import Headers, read_fraud_headers

ORIGINS_KEPT: Final = 10_000

Manner = tuple[str | None, bool, bool]  # auto model, has tools, has middle-out

_AGENT: Final = b"user-agent"
_SAID: Final = (
    _AGENT,
    *(
        prefix + name
        for name in (b"mode", b"editorname", b"machineid", b"feature", b"projectid")
        for prefix in (b"x-kilocode-", b"x-tollway-")
    ),
)
_SAID_BY_PROXY: Final = (
    *_SAID,
    b"x-forwarded-for",
    b"x-vercel-ip-city",
    b"x-vercel-ip-country",
    b"x-vercel-ip-latitude",
    b"x-vercel-ip-longitude",
    b"x-vercel-ja4-digest",
)


class Origins:
    """`secret` keys the hashes of addresses. Of a client that is known it takes about a microsecond."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._kept: dict[tuple[object, ...], bytes] = {}

    def of(self, headers: Headers, context: Context, proxied: str | None, manner: Manner) -> bytes:
        """An encoded Origin. `proxied`: the client's address by the word of a trusted proxy; None without one, and
        then only what the client says of itself counts."""
        get = headers.get
        key: tuple[object, ...]
        if proxied is not None:
            key = (context.feature_if_absent, manner, proxied, *map(get, _SAID_BY_PROXY))
        elif context.headers:
            key = (context.feature_if_absent, manner, *map(get, _SAID))
        else:
            key = (context.feature_if_absent, manner, get(_AGENT))
        origin = self._kept.get(key)
        if origin is None:
            if len(self._kept) >= ORIGINS_KEPT:
                self._kept.clear()
            origin = self._kept[key] = encode_origin(self._read(headers, context, proxied, manner))
        return origin

    def _read(self, headers: Headers, context: Context, proxied: str | None, manner: Manner) -> Origin:
        address = None if proxied is None else origin_name(self._secret, proxied)
        edge = read_fraud_headers(headers, proxied is not None, address)
        return Origin(
            context.feature,
            storable(context.mode),
            storable(context.editor_name),
            storable(context.machine_id),
            storable(edge.http_user_agent),
            edge.http_x_forwarded_for,
            storable(edge.http_x_vercel_ip_country),
            storable(edge.http_x_vercel_ip_city),
            edge.http_x_vercel_ip_latitude,
            edge.http_x_vercel_ip_longitude,
            storable(edge.http_x_vercel_ja4_digest),
            storable(context.project_id),
            *manner,
        )
