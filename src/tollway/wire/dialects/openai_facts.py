"""What OpenAI's models can do behind the Responses API: data, of which a preset may say more.

Source: response-path 5.5.
"""

from msgspec import Struct


class OpenAIFacts(Struct, frozen=True, forbid_unknown_fields=True):
    """Models are told by the beginnings of their ids. `reasoning_models` reason unless they are `plain_models`;
    `temperature_models` are those that reason and still take a temperature when they are told not to. The messages of
    the API at `phases_base_url` have phases; empty: none have."""

    reasoning_models: tuple[str, ...] = ()
    plain_models: tuple[str, ...] = ()
    temperature_models: tuple[str, ...] = ()
    phases_base_url: str = ""

    def reasons(self, model: str) -> bool:
        return model.startswith(self.reasoning_models) and not model.startswith(self.plain_models)

    def has_phases(self, base_url: str) -> bool:
        return bool(self.phases_base_url) and base_url == self.phases_base_url
