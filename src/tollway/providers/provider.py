"""The provider record: what Tollway must know about one upstream besides what its dialect already says."""

from dataclasses import dataclass
from typing import Final

from tollway.providers.client_access import ClientAccess
from tollway.providers.rule import Rule

# Dialects that are translated; those of all other providers are variants of Chat Completions.
MESSAGES: Final = "anthropic-messages"
RESPONSES: Final = "openai-responses"
TRANSLATED: Final = frozenset({MESSAGES, RESPONSES})


@dataclass(frozen=True, slots=True)
class Provider:
    """One kind of upstream, as data.

    `dialect` says how it is spoken to, `id` who it is. `hosted_vendor`: models that the operator hosts there are
    reached by the API of that vendor (custom_llm.py). `reports_cost`: its answers carry what it charges, and that is
    what the caller pays. `stops_billing_on_abort`: closing the connection ends the charge, so an answer nobody waits
    for is aborted instead of read to its end. `identifies_application`: HTTP-Referer and X-Title are sent.
    `generation_lookup`: it tells about an answer afterwards, at GENERATION. `needs_key`: without a key (or address) it
    is unavailable, never called without one. `obeys_order`: it hands requests on to inference providers and obeys
    `provider.order`. `takes_own_keys`: its rules hand on callers' own keys, so that nothing is billed to ours. `rules`
    make a request fit it, after those of the model's family. `client`: what the commands on a developer's machine need
    to use it directly; None: they do not know it.
    `source` and `checked` (ISO date) prove the facts.
    """

    id: str
    name: str
    dialect: str
    base_url: str
    source: str
    checked: str
    reports_cost: bool = False
    stops_billing_on_abort: bool = False
    identifies_application: bool = False
    generation_lookup: bool = False
    needs_key: bool = False
    obeys_order: bool = False
    takes_own_keys: bool = False
    hosted_vendor: str = ""
    rules: tuple[Rule, ...] = ()
    client: ClientAccess | None = None

    @property
    def is_translated(self) -> bool:
        return self.dialect in TRANSLATED


CHAT_COMPLETIONS: Final = "/chat/completions"
GENERATION: Final = "/generation"
