"""What must never be written anywhere: key shapes, headers that authorise, cookies, user-info and query values of URLs.

Every pattern is linear in the length of the text, because upstreams choose what is redacted. Source: guarantees K5.
"""

import re
from typing import Any, Final

MASK: Final = "***"
# Of a word; a character that is URL-encoded is no part of it. A token starts more rarely, else many starts in one long
# run of its characters would each be read to the end.
_START: Final = r"(?:(?<![0-9A-Za-z])|(?<=%[0-9A-Fa-f]{2}))"
_JWT_START: Final = r"(?:(?<![0-9A-Za-z_\-])|(?<=%[0-9A-Fa-f]{2}))"
_SPACE: Final = r"(?:\s|%20|\+)++"
_SECRETS: Final = re.compile(
    # Headers and fields by name; a scheme stays.
    rf"(?i)((?:authorization|(?:x-)?api[_\-]?key)[\"']?\s*+[:=]\s*+[\"']?(?:(?:bearer|basic|token){_SPACE})?+)"
    r"[^\s\"',;&]++"
    r"|(cookie[\"']?\s*+[:=]\s*+[\"']?)[^\r\n\"']++"
    rf"|({_START}(?:bearer|basic){_SPACE})[^\s\"',;]++"
    # Key shapes: ours, those of upstreams, signed tokens.
    r"|(tw_[a-z]++_)[0-9A-Za-z]{8,}+"
    rf"|({_START}(?:(?:sk|pk|rk|key|xai|pplx|glpat|xox[a-z])[_\-]|(?:gsk|hf|r8|gh[a-z]|github_pat)_|AIza|AKIA))"
    r"[0-9A-Za-z_\-]{8,}+"
    rf"|({_JWT_START}eyJ)[0-9A-Za-z_\-]++\.[0-9A-Za-z_\-]++(?:\.[0-9A-Za-z_\-]*+)?+"
    # URLs.
    r"|(://)[^/?#\s\"']+(?=@)"
    r"|([?&][\w.\-\[\]]++=)[^&#\s\"']++"
)


# Fields whose value is a secret wherever they are (response-path 10.5), lower-cased.
_SECRET_FIELDS: Final = frozenset(
    {"apikey", "api_key", "authorization", "secretaccesskey", "accesskeyid", "sessiontoken"}
)


def redact(text: str) -> str:
    """`text` with every secret-looking part masked; its prefix stays, so that one can tell what it was."""
    return _SECRETS.sub(lambda match: next(group for group in match.groups() if group) + MASK, text)


def redact_fields(tree: Any) -> Any:
    """A copy of a JSON tree in which the values of fields that hold secrets are masked, at any depth."""
    if isinstance(tree, dict):
        return {name: MASK if name.lower() in _SECRET_FIELDS else redact_fields(one) for name, one in tree.items()}
    if isinstance(tree, list):
        return [redact_fields(one) for one in tree]
    return tree
