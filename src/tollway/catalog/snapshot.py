"""The catalog in memory: built whole, read without locks, replaced whole."""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from tollway.catalog.model import Model, Offer, normal_id


@dataclass(frozen=True, slots=True)
class CatalogSnapshot:
    """Models by id. `aliases` are bare upstream names that mean one model only (`gpt-5-mini`)."""

    models: Mapping[str, Model]
    aliases: Mapping[str, str]

    def find(self, requested: str) -> Model | None:
        """The model a caller means, in any spelling of case and with or without its vendor."""
        model = self.models.get(requested)  # most callers spell it as we do
        if model is not None:
            return model
        wanted = normal_id(requested)
        model = self.models.get(wanted)
        if model is None and (alias := self.aliases.get(wanted)):
            model = self.models.get(alias)
        return model

    def id_of(self, requested: str) -> str:
        """The id of the model a caller means; of one that is not here, what is asked for in its normal form."""
        if requested in self.models:
            return requested
        wanted = normal_id(requested)
        return wanted if wanted in self.models else self.aliases.get(wanted, wanted)

    def served_by(self, provider_ids: Container[str]) -> "CatalogSnapshot":
        """Without the models that none of these offers."""
        served = {
            id_: model
            for id_, model in self.models.items()
            if any(offer.provider_id in provider_ids for offer in model.offers)
        }
        return CatalogSnapshot(served, {alias: id_ for alias, id_ in self.aliases.items() if id_ in served})


def build_snapshot(models: Iterable[Model]) -> CatalogSnapshot:
    """Join models of the same id (offers in order of arrival); the first one's facts count."""
    by_id: dict[str, Model] = {}
    for model in models:
        known = by_id.get(model.id)
        by_id[model.id] = _joined(known, model.offers) if known else model
    bare: dict[str, set[str]] = {}
    for id_ in by_id:
        _, slash, name = id_.rpartition("/")
        if slash:
            bare.setdefault(name, set()).add(id_)
    aliases = {name: ids.pop() for name, ids in bare.items() if len(ids) == 1 and name not in by_id}
    return CatalogSnapshot(by_id, aliases)


def _joined(known: Model, offers: tuple[Offer, ...]) -> Model:
    return Model(
        known.id, known.name, known.context_length, known.completion_tokens_max, known.offers + offers, known.created
    )
