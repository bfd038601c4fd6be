"""Custom LLMs as administration reads and writes them, and what it needs from storage for that."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from tollway.admin.records import AuditEntry, Page
from tollway.errors import Problem
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
    those that are given it. `is_guarded`: not the operator said where it is, so each connection is looked at."""

    public_id: str
    fields: LlmFields
    last_four: str
    organizations: tuple[str, ...]
    created_at: datetime
    updated_at: datetime
    is_guarded: bool = False


@dataclass(frozen=True, slots=True)
class LlmChange:
    """What a custom LLM becomes. `sealed` None: it keeps its key."""

    row: CustomLlm
    sealed: Sealed | None
    audits: tuple[AuditEntry, ...]


DecideLlm: TypeAlias = Callable[[CustomLlm], LlmChange | Problem]


class LlmStore(Protocol):
    """Audit entries are written with their change, or neither is. Raises StoreUnavailableError."""

    async def list_llms(self, page: Page) -> tuple[CustomLlm, ...]:
        """Newest first."""
        ...

    async def find_llm(self, public_id: str) -> CustomLlm | None: ...

    async def find_llm_key(self, public_id: str) -> Sealed | None: ...

    async def add_llm(self, row: CustomLlm, sealed: Sealed, audits: tuple[AuditEntry, ...] = ()) -> bool:
        """For the organizations that it names. False when there is one of that id."""
        ...

    async def change_llm(self, public_id: str, decide: DecideLlm) -> CustomLlm | Problem | None:
        """What `decide` makes of it, which nobody else changes meanwhile. It may be asked several times. None when
        there is none of that id."""
        ...

    async def remove_llm(self, public_id: str, audit: Callable[[str], AuditEntry]) -> CustomLlm | None:
        """`audit`: of an organization that loses it, by its id."""
        ...

    async def assign_llm(self, public_id: str, organization_id: str, assigned: bool, audit: AuditEntry) -> None:
        """Give it to the organization, or take it back; nothing happens when that is so already."""
        ...
