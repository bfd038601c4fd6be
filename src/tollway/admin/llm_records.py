"""Custom LLMs as administration reads and writes them, and what it needs from storage for that."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tollway.admin.records import AuditEntry
from tollway.identity.sealing import Sealed


@dataclass(frozen=True, slots=True)
class LlmFields:
    """What an operator says about a custom LLM. `vendor`: whose API it speaks; `internal_id`: what the vendor calls it.
    Counts are tokens; `completion_tokens_max` 0: as the vendor has it. None: not said."""

    display_name: str
    vendor: str
    base_url: str
    internal_id: str
    context_length: int = 200_000
    completion_tokens_max: int = 0
    verbosity: str | None = None
    reasoning_effort: str | None = None
    included_tools: tuple[str, ...] | None = None
    excluded_tools: tuple[str, ...] | None = None
    supports_image_input: bool = False
    force_reasoning: bool = False


@dataclass(frozen=True, slots=True)
class CustomLlm:
    """A custom LLM without its key, of which `last_four` is shown; empty for a short one. `organizations`: the ids of
    those that are given it."""

    public_id: str
    fields: LlmFields
    last_four: str
    organizations: tuple[str, ...]
    created_at: datetime
    updated_at: datetime


class LlmStore(Protocol):
    """An audit entry is written with its change, or neither is. Raises StoreUnavailableError."""

    async def list_llms(self) -> tuple[CustomLlm, ...]:
        """All of them, by id."""
        ...

    async def find_llm(self, public_id: str) -> CustomLlm | None: ...

    async def add_llm(self, row: CustomLlm, sealed: Sealed) -> bool:
        """For no organization yet. False when there is one of that id."""
        ...

    async def change_llm(self, row: CustomLlm, sealed: Sealed | None) -> bool:
        """Its fields, and its key unless that is None. False when there is none of that id."""
        ...

    async def remove_llm(self, public_id: str, audits: tuple[AuditEntry, ...]) -> bool: ...

    async def assign_llm(self, public_id: str, organization_id: str, assigned: bool, audit: AuditEntry) -> None:
        """Give it to the organization, or take it back; nothing happens when that is so already."""
        ...
