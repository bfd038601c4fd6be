"""Checks of what is said about a custom LLM: the value as it is stored, or a Problem that names the field. Pure.

No refusal repeats a key. Source: request-path 8.3, response-path 5.1; guarantees K3.
"""

from dataclasses import replace
from typing import Final

from tollway.admin.fields import bad, check_text
from tollway.admin.llm_records import LlmFields
from tollway.admin.own_keys import KEY_CHARS_MAX
from tollway.errors import Code, Problem
from tollway.providers.custom_llm import PROVIDERS
from tollway.providers.registry import locate
from tollway.settings import SettingsError
from tollway.wire.chat import MODEL_ID_CHARS_MAX
from tollway.wire.dialects.parameters import EFFORTS, VERBOSITIES

TOKENS_MAX: Final = 2**31 - 1
TOOLS_MAX: Final = 500
TOOL_CHARS_MAX: Final = 200


def check_public_id(prefix: str, public_id: str) -> str | Problem:
    """Lower-cased. `prefix`: what it must begin with."""
    value = check_text("public_id", public_id, least=1, most=MODEL_ID_CHARS_MAX)
    if isinstance(value, Problem):
        return value
    if not value.startswith(prefix) or value == prefix:
        return bad("public_id", f"must begin with {prefix}")
    return value.lower()


def check_llm(fields: LlmFields) -> LlmFields | Problem:
    name = check_text("display_name", fields.display_name, least=1)
    internal_id = check_text("internal_id", fields.internal_id, least=1, most=MODEL_ID_CHARS_MAX)
    base_url = fields.base_url.strip().rstrip("/")
    refused = [one for one in (name, internal_id) if isinstance(one, Problem)] or _refusals(fields, base_url)
    if refused:
        return refused[0]
    return replace(fields, display_name=str(name), internal_id=str(internal_id), base_url=base_url)


def check_llm_key(key: str) -> str | Problem:
    """Trimmed."""
    value = key.strip()
    if not 1 <= len(value) <= KEY_CHARS_MAX:
        return bad("api_key", f"must have 1 to {KEY_CHARS_MAX} characters")
    if not value.isascii() or not value.isprintable():
        return bad("api_key", "must be printable ASCII")
    return value


def is_elsewhere(before: LlmFields, after: LlmFields) -> bool:
    """Whether scheme, host or port differ, of fields that were checked: the stored key does not go there."""
    return locate("base_url", before.base_url)[0] != locate("base_url", after.base_url)[0]


def _refusals(fields: LlmFields, base_url: str) -> list[Problem]:
    found: list[Problem] = []
    choices = (
        ("vendor", fields.vendor, PROVIDERS),
        ("verbosity", fields.verbosity, VERBOSITIES),
        ("reasoning_effort", fields.reasoning_effort, EFFORTS),
    )
    for name, chosen, known in choices:
        if chosen is not None and chosen not in known:
            found.append(bad(name, f"must be one of {', '.join(sorted(known))}"))
    if not 1 <= fields.context_length <= TOKENS_MAX:
        found.append(bad("context_length", "must be a number of tokens"))
    if not 0 <= fields.completion_tokens_max <= TOKENS_MAX:
        found.append(bad("completion_tokens_max", "must be a number of tokens, or 0"))
    for name, tools in (("included_tools", fields.included_tools), ("excluded_tools", fields.excluded_tools)):
        if tools is not None and not _are_tools(tools):
            found.append(bad(name, f"must be at most {TOOLS_MAX} names of 1 to {TOOL_CHARS_MAX} characters"))
    try:
        locate("base_url", base_url)
    except SettingsError as error:
        found.append(Problem(Code.BAD_REQUEST, str(error), shown=str(error)))
    return found


def _are_tools(tools: tuple[str, ...]) -> bool:
    return len(tools) <= TOOLS_MAX and all(1 <= len(tool) <= TOOL_CHARS_MAX and tool.isprintable() for tool in tools)
