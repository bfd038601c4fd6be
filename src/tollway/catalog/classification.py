"""What kind of free a model is. Source: request-path 5.1."""

from tollway.catalog.preset import Preset


class Classification:
    """Answers about resolved models, whose ids are lower-case; built once from the preset's one table."""

    def __init__(self, preset: Preset) -> None:
        self._hosted = frozenset(model.public_id for model in preset.hosted_models if model.is_enabled)

    def is_hosted_free(self, model: str) -> bool:
        """Free because the operator pays for it."""
        return model in self._hosted

    def is_free(self, model: str) -> bool:
        """Hosted free, or free at its provider, as its id says."""
        if model in self._hosted or model.endswith(":free") or model == "openrouter/free":
            return True
        return model.startswith("openrouter/") and model.endswith(("-alpha", "-beta"))
