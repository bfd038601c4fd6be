"""What must never be written anywhere: key shapes, bearer values, user-info in URLs. Source: guarantees K5."""

import re
from typing import Final

MASK: Final = "***"
_SECRETS: Final = re.compile(
    r"(?i)(\btw_[a-z]+_)[0-9A-Za-z]{8,}"
    r"|(\b(?:sk|pk|rk|key)-)[0-9A-Za-z_\-]{8,}"
    r"|(\b(?:bearer|basic)\s+)[^\s\"',;]+"
    r"|(\beyJ)[0-9A-Za-z_\-]+\.[0-9A-Za-z_\-]+\.[0-9A-Za-z_\-]*"
    r"|(://)[^/@\s:]+:[^/@\s]+(?=@)"
    r"|([?&](?:key|token|api_key|secret|password)=)[^&\s]+"
)


def redact(text: str) -> str:
    """`text` with every secret-looking part masked; its prefix stays, so that one can tell what it was."""
    return _SECRETS.sub(lambda match: next(group for group in match.groups() if group) + MASK, text)
