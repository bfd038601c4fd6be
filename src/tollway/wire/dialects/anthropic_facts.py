"""What Anthropic's models can do and which beta features are asked for: data, of which a preset may say more.

Source: response-path 5.4 and 5.6.
"""

from typing import Annotated

from msgspec import Meta, Struct


class OutputLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """The most tokens that models with `name` in their id write."""

    name: str
    completion_tokens: Annotated[int, Meta(ge=1)]


class Betas(Struct, frozen=True, forbid_unknown_fields=True):
    """Values of the `anthropic-beta` header by what needs them; empty: nothing is asked for. `always`: whatever is
    sent."""

    pdf: str = "pdfs-2024-09-25"
    effort: str = "effort-2025-11-24"
    tool_streaming: str = "fine-grained-tool-streaming-2025-05-14"
    structured_outputs: str = "structured-outputs-2025-11-13"
    always: tuple[str, ...] = ()


class AnthropicFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """`output_limits`: the first that fits counts, as what is asked for when the caller sets no limit and as the most
    that may be. A model that none fits has `completion_tokens_default` and no most. `structured_output_models`: parts
    of the ids of models whose tools may be strict."""

    output_limits: tuple[OutputLimit, ...] = ()
    completion_tokens_default: Annotated[int, Meta(ge=1)] = 4_096
    structured_output_models: tuple[str, ...] = ()
    betas: Betas = Betas()

    def output_limit(self, model: str) -> int | None:
        return next((one.completion_tokens for one in self.output_limits if one.name in model), None)

    def has_structured_output(self, model: str) -> bool:
        return any(name in model for name in self.structured_output_models)
