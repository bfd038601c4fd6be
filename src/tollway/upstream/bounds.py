"""The bounds and waits that calls keep to: those of the settings, or the defaults where a program has no settings."""

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from tollway.call_defaults import CallLimits, CallTimeouts
    from tollway.settings import Limits, Timeouts

AnyLimits: TypeAlias = "Limits | CallLimits"
AnyTimeouts: TypeAlias = "Timeouts | CallTimeouts"
