"""Auto models: ids that stand for another model, which may depend on the mode a client works in. Pure.

From the resolved request on everything behaves as if the caller had asked for the resolved model; the auto id is kept
beside it. Source: request-path 4, Appendix A.1.
"""

from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from tollway.catalog.preset import AutoModel, AutoTarget
from tollway.wire.chat import ChatRequest

AutoModels = Mapping[str, AutoModel]  # by lower-cased id and alias


def auto_models(entries: Iterable[AutoModel]) -> AutoModels:
    """The table of the preset's entries, under their ids and aliases."""
    return {name.lower(): entry for entry in entries for name in (entry.id, *entry.aliases)}


def target_of(entry: AutoModel, mode: str | None) -> AutoTarget:
    """What an auto model stands for in a mode (any spelling of case); unknown and absent ones have the default."""
    return entry.modes.get(mode.lower(), entry.default) if mode else entry.default


def resolve(request: ChatRequest, entry: AutoModel, mode: str | None) -> ChatRequest:
    """The request for the model that the auto model stands for. What the target says of `reasoning` and `verbosity`
    takes the place of what the caller said; what it does not say is left alone."""
    target = target_of(entry, mode)
    model = target.model.lower()
    body = {**request.body, "model": model}
    if target.reasoning is not None:
        body["reasoning"] = dict(target.reasoning)
    if target.verbosity is not None:
        body["verbosity"] = target.verbosity
    return replace(request, body=body, model=model, auto_model=entry.id.lower())


def metric_names(request: ChatRequest) -> tuple[str, str]:
    """How a resolved request's model is called in metrics: what was asked for (the auto id, else the model), and the
    model without its variant, which begins at the first colon. Source: request-path 4.5."""
    model = request.model.lower()
    return request.auto_model or model, model.partition(":")[0]
