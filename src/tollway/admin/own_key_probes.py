"""Try a caller's own key: one tiny request with it, the way that requests with it go; and the models it can serve.

What an upstream answers may quote the key: nobody is told more of it than whether it worked. Such a request is in no
book: nobody here is charged. Source: catalog-and-clients E.3 rule 7; request-path 8.2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from msgspec.json import encode

from tollway.admin.fields import bad
from tollway.admin.own_keys import Desk, find_own_key
from tollway.admin.probe_limits import ProbeLimits
from tollway.admin.records import StoredOwnKey
from tollway.admin.upstream_probes import BODY_BYTES_MAX, FAILED, TEST_S, Asking, Probed
from tollway.catalog.model import Model
from tollway.catalog.snapshot import CatalogSnapshot
from tollway.errors import Code, Problem
from tollway.identity.owned import BYOK_KEYS, Owner, secret_place
from tollway.identity.sealing import SealError, unseal
from tollway.ids import new_id
from tollway.providers.own_keys import OwnKey, OwnKeyError, read_own_key
from tollway.providers.registry import Upstream
from tollway.providers.rule import Attempt, Draft
from tollway.providers.rulebook import Rulebook
from tollway.routing.plan import own_keys_offer

KEY_WORKS: Final = "The key works."
ANSWER_TOKENS: Final = 16  # OpenAI's Responses API, which a gateway may ask, takes no smaller bound


@dataclass(frozen=True, slots=True)
class KeyProbes:
    """What keys are tried with. `gateway`: where own keys are used; None: it is not configured.

    `candidates(model)`: the inference providers a key for this model can be of.
    """

    ask: Asking
    limits: ProbeLimits
    gateway: Upstream | None
    candidates: Callable[[str], tuple[str, ...]]
    catalog: Callable[[], CatalogSnapshot]
    rulebook: Rulebook

    def served_with(self, provider_id: str) -> list[Model]:
        """The models of the catalog that a key of this provider can serve, by id."""
        models = self.catalog().models
        return [models[id_] for id_ in sorted(models) if provider_id in self.candidates(id_)]


async def list_key_models(probes: KeyProbes, desk: Desk, owner: Owner, named: str) -> list[str] | Problem:
    """Ids, in their order. Refuses: forbidden, not_found."""
    found = await find_own_key(desk, owner, named, to_change=False)
    return found if isinstance(found, Problem) else [one.id for one in probes.served_with(found.provider_id)]


async def try_own_key(probes: KeyProbes, desk: Desk, owner: Owner, named: str) -> Probed | Problem:
    """With the model whose answer costs its owner least.

    Refuses: forbidden, not_found, rate_limited, service_unavailable (no provider that takes own keys is configured),
    bad_request (no model can be served with it), credential_unavailable (it does not open).
    """
    found = await find_own_key(desk, owner, named, to_change=True)
    if isinstance(found, Problem):
        return found
    refused = probes.limits.take(owner)
    if refused is not None:
        return refused
    if probes.gateway is None:
        return Problem(Code.SERVICE_UNAVAILABLE, "no provider that takes own keys is configured")
    models = probes.served_with(found.provider_id)
    if not models:
        return bad("provider", "serves no model of the catalog")
    try:
        key = await _opened(desk, owner, found)
    except OwnKeyError:
        return Probed(False, FAILED)
    if isinstance(key, Problem):
        return key
    head, body = _request(probes, probes.gateway, min(models, key=_costs), key)
    answer = await probes.ask(probes.gateway, head, body, TEST_S, BODY_BYTES_MAX)
    works = answer is not None and 200 <= answer[0] < 300
    return Probed(works, KEY_WORKS if works else FAILED)


def _costs(model: Model) -> tuple[object, object, str]:
    price = model.offers[0].price
    return price.completion_usd, price.prompt_usd, model.id


async def _opened(desk: Desk, owner: Owner, found: StoredOwnKey) -> OwnKey | Problem:
    """Raises OwnKeyError: what is stored is no key of that provider."""
    sealed = await desk.store.sealed_own_key(owner, found.id)
    if sealed is None:  # it was removed meanwhile
        return Problem(Code.CREDENTIAL_UNAVAILABLE, "the key is gone")
    place = secret_place(BYOK_KEYS, "sealed_key", found.id, owner, found.provider_id)
    try:
        return read_own_key(found.provider_id, unseal(sealed, place, desk.keys))
    except SealError as error:
        return Problem(Code.CREDENTIAL_UNAVAILABLE, str(error))


def _request(probes: KeyProbes, gateway: Upstream, model: Model, key: OwnKey) -> tuple[bytes, bytes]:
    """Head, but for the line that ends it, and body."""
    offer = own_keys_offer(model, gateway)
    recipe = probes.rulebook.recipe(model.id, offer, gateway.provider)
    messages = [{"role": "user", "content": "Say hi"}]
    draft = Draft({"model": offer.upstream_model, "messages": messages, "max_tokens": ANSWER_TOKENS})
    attempt = Attempt(recipe.target, False, new_id, (key,))
    for rule in recipe.rules:
        draft = rule(draft, attempt)
    body = encode(draft.body)
    lines = "".join(f"{name}: {value}\r\n" for name, value in draft.headers.items())
    before, after = gateway.head
    return b"%b%b%bContent-Length: %d\r\n" % (before, after, lines.encode(), len(body)), body
