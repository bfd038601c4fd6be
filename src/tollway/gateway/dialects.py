"""What translations into other dialects need to know besides the request."""

from dataclasses import dataclass

from tollway.catalog.preset import Preset
from tollway.gateway.phases import PhaseMemory
from tollway.wire.dialects.anthropic_facts import AnthropicFacts
from tollway.wire.dialects.openai_facts import OpenAIFacts


@dataclass(frozen=True, slots=True)
class Dialects:
    """`legacy_client_prefix`: what the User-Agent of old clients begins with; empty: there are none."""

    anthropic: AnthropicFacts
    openai: OpenAIFacts
    legacy_client_prefix: str
    phases: PhaseMemory


def dialects_of(preset: Preset, phases: PhaseMemory) -> Dialects:
    return Dialects(preset.anthropic, preset.openai, preset.legacy_client_prefix, phases)
