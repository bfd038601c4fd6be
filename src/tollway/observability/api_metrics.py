"""The record of one chat request for statistics and alerts: who served it, how fast, how it ended. No text of it.

One definition for what is sent, received and stored. Source: response-path 9.1 and 9.6.
"""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct, field
from msgspec.json import Encoder

from tollway.observability.received import PossiblyEmptyText, Text

ERROR_STATUS_MIN: Final = 400
_Count = Annotated[int, Meta(ge=0, le=2**53 - 1)]
_Names = Annotated[tuple[Text, ...], Meta(max_length=10_000)]


class Tokens(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Token counts as the upstream reported them; None: not reported."""

    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None
    cache_hit_tokens: _Count | None = None
    total_tokens: _Count | None = None


class ApiMetric(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One request. Times are milliseconds since its first byte; `status_code` is the upstream's where there is one.

    `requested_model`: what the client asked for; `resolved_model`: what that meant, without its variant. `mode`,
    `organization_id`: None where there is none, never empty. `user_byok`: the caller's own key paid.
    """

    user_id: Text = field(name="kiloUserId")
    is_anonymous: bool
    is_streaming: bool
    user_byok: bool
    provider: Text
    requested_model: Text
    resolved_model: Text
    tools_available: _Names
    tools_used: _Names
    ttfb_ms: _Count
    complete_request_ms: _Count
    status_code: Annotated[int, Meta(ge=100, le=599)]
    organization_id: Text | None = None
    mode: Text | None = None
    inference_provider: PossiblyEmptyText = ""
    tokens: Tokens | None = None

    @property
    def is_error(self) -> bool:
        return self.status_code >= ERROR_STATUS_MIN


class Measured(Struct, frozen=True):
    """A record on its way to where it is kept. `id` is unique, so that writing it twice keeps it once."""

    id: str
    at: datetime
    metric: ApiMetric


_encode: Final = Encoder().encode


def encode_metric(metric: ApiMetric) -> bytes:
    """The record as it is sent to a receiver."""
    return _encode(metric)
