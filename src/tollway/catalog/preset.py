"""A preset: everything about models and their rules that belongs to one deployment, as data. Nothing of it is code.

The shipped `kilo` preset is Appendix A of the request-path page; the neutral one is empty, but for the inference
providers that callers may have keys of. An operator copies a file, edits it and names it: `preset = "my.toml"`. Ids are
lower-case, as resolved models are.
"""

from collections import Counter
from decimal import Decimal
from typing import Annotated, Any

from msgspec import Meta, Struct, ValidationError, field
from msgspec.toml import decode

from tollway.observability.alerting.rules import WINDOWS, Window
from tollway.settings_error import SettingsError
from tollway.wire.dialects.anthropic_facts import AnthropicFacts
from tollway.wire.dialects.openai_facts import OpenAIFacts

Percentage = Annotated[int, Meta(ge=0, le=100)]


class PresetError(SettingsError):
    """A preset cannot be read; the text says which and why."""


class AutoTarget(Struct, frozen=True, forbid_unknown_fields=True):
    """What an auto model stands for. `reasoning` and `verbosity` overwrite the caller's; None leaves them."""

    model: str
    reasoning: dict[str, Any] | None = None
    verbosity: str | None = None


class AutoModel(Struct, frozen=True, forbid_unknown_fields=True):
    """`modes` by the name in the mode header; `default` for any other and for none. `prompt_usd` and `completion_usd`
    are what the catalog shows for a token, and nothing is charged by."""

    id: str
    default: AutoTarget
    modes: dict[str, AutoTarget] = {}
    aliases: tuple[str, ...] = ()
    context_length: int | None = None  # None: as its target
    completion_tokens_max: int | None = None
    name: str = ""  # empty: its id
    description: str = ""
    prompt_usd: str = "0"
    completion_usd: str = "0"

    @property
    def targets(self) -> tuple[str, ...]:
        """Every model that it may stand for, lower-cased, each once."""
        return tuple(dict.fromkeys(one.model.lower() for one in (self.default, *self.modes.values())))


class HostedModel(Struct, frozen=True, forbid_unknown_fields=True):
    """A free model that the operator pays for. `gateway` names the provider that serves it. Not enabled: it is dead,
    and those who still ask are told so. `inference_providers` are required of the gateway, all of them.
    `system_addition` is appended to the system message; empty adds nothing."""

    public_id: str
    internal_id: str
    gateway: str
    context_length: int
    completion_tokens_max: int
    is_enabled: bool = True
    flags: tuple[str, ...] = ()
    inference_providers: tuple[str, ...] = ()
    system_addition: str = ""
    name: str = ""  # empty: its public id
    description: str = ""


class ToolSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Which tools clients give the models with one of these prefixes, from version `since` of theirs on (empty: any).
    Of several that mean a model the first counts, with and without a version each."""

    prefixes: tuple[str, ...]
    included_tools: tuple[str, ...] = ()
    excluded_tools: tuple[str, ...] = ()
    since: str = ""


class Promotion(Struct, frozen=True, forbid_unknown_fields=True):
    """Callers whose `claim` (bot_id or token_source) has this value use the model without a balance, from `start`
    (ISO 8601, empty: always) to before `end`."""

    claim: str
    value: str
    model: str
    end: str
    start: str = ""


class Split(Struct, frozen=True, forbid_unknown_fields=True):
    """Traffic that would go to `default_provider`, divided between it and a second one, `provider`.

    Percentages are shares of the second one: `percentage_healthy` ordinarily, `percentage_failing` while more than
    `error_rate_max` of what the default one was sent fails, and less of what the second one was sent; counted over
    `window_s` seconds, looked at every `cache_s`. `models` are the ones that are divided, but none with a prefix in
    `excluded` (unless with one in `excluded_except`) or `excluded_always`. `is_universal`: all but those with a prefix
    in `excluded_always` go to the second one.
    """

    default_provider: str = ""
    provider: str = ""  # empty: none
    models: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    excluded_except: tuple[str, ...] = ()
    excluded_always: tuple[str, ...] = ()
    percentage_healthy: Percentage = 10
    percentage_failing: Percentage = 90
    error_rate_max: Annotated[float, Meta(ge=0, le=1)] = 0.5
    window_s: Annotated[int, Meta(ge=1)] = 600
    cache_s: Annotated[int, Meta(ge=0)] = 60
    is_universal: bool = False


class FreeLimits(Struct, frozen=True, forbid_unknown_fields=True):
    """Windows of free use per client address. `promotion_*` count callers who are nobody."""

    hosted_count: int = 200
    hosted_window_s: int = 3_600
    promotion_count: int = 10_000
    promotion_window_s: int = 86_400
    promotion_text: str = (
        "Sign up for free to continue and explore 500 other models. Takes 2 minutes, no credit card required. "
        "Or come back later."
    )


class Identity(Struct, frozen=True, forbid_unknown_fields=True):
    """What upstreams are shown. An empty salt or pepper: the deployment's own secret is used.

    `hash_peppers` by provider id; a provider without one has its id.
    """

    hash_salt: str = ""
    hash_peppers: dict[str, str] = {}
    http_referer: str = ""
    x_title: str = ""


class SubscriptionRules(Struct, frozen=True, forbid_unknown_fields=True):
    """What subscribers pay and get on top of it. Without tiers there are no subscriptions.

    `tiers`: USD per month. Percentages are shares of that, 0 to 1: `percent` in the first month of a streak, more by
    `percent_step` in each further one up to `percent_max`; `first_months_percent` in the first month of a user's first
    subscription, and in the second one as well if it started before `first_months_until` (ISO 8601). The bonus is due
    `early_award_usd` before the price is used. Texts may name {tier}, {month} and {streak}.
    """

    tiers: dict[str, Decimal] = {}
    percent: Decimal = Decimal(0)
    percent_step: Decimal = Decimal(0)
    percent_max: Decimal = Decimal(0)
    first_months_percent: Decimal = Decimal(0)
    first_months_until: str = ""
    yearly_percent: Decimal = Decimal(0)
    early_award_usd: Decimal = Decimal(0)
    base_category: str = "subscription"
    bonus_category: str = "subscription-bonus"
    base_text: str = "Subscription ({tier}, {month})"
    monthly_text: str = "Subscription bonus ({tier}, streak={streak})"
    first_months_text: str = "Subscription bonus of the first months ({tier}, streak={streak})"
    yearly_text: str = "Subscription bonus ({tier}, {month})"


class OwnKeys(Struct, frozen=True, forbid_unknown_fields=True):
    """Inference providers that callers may bring a key along for, by the tags that the second gateway gives their
    endpoints; which of them could serve a model is in its stored endpoints.

    `only`: by prefix of the model, the one provider whatever is stored. `inferred`: by vendor, the one that is assumed
    while nothing is stored for any model, but for no model with a prefix in `inferred_except`.
    """

    provider_ids: tuple[str, ...] = (
        "anthropic",
        "bedrock",
        "google",
        "openai",
        "minimax",
        "mistral",
        "xai",
        "zai",
        "codestral",
    )
    only: dict[str, str] = field(default_factory=lambda: {"mistralai/codestral": "codestral"})
    inferred: dict[str, str] = field(
        default_factory=lambda: {
            "anthropic": "anthropic",
            "google": "google",
            "openai": "openai",
            "minimax": "minimax",
            "mistralai": "mistral",
            "x-ai": "xai",
            "z-ai": "zai",
        }
    )
    inferred_except: tuple[str, ...] = ("openai/gpt-oss",)


class Preset(Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. Source: request-path, Appendix A."""

    name: str = ""
    auto_models: tuple[AutoModel, ...] = ()
    hosted_models: tuple[HostedModel, ...] = ()
    unavailable_models: tuple[str, ...] = ()  # answered as if they did not exist
    preferred_models: tuple[str, ...] = ()  # the catalog lists these first
    default_models: tuple[str, ...] = ()  # what clients begin with; the first one is the primary default
    provider_names: dict[str, str] = {}  # of inference providers that only hosted models know, by slug
    tool_settings: tuple[ToolSettings, ...] = ()
    reserved_names: tuple[str, ...] = ()  # first segments of ids that no custom upstream may have as its name
    free_models: tuple[str, ...] = ()  # besides the hosted ones; `*` in a pattern stands for any text
    stealth_provider: str = ""  # hosted models of this inference provider do not say what they are
    stream_comment: str = "TOLLWAY PROCESSING"  # what a comment in a stream of a hosted model becomes
    inference_order: dict[str, tuple[str, ...]] = {}  # by prefix of the model
    second_gateway_ids: dict[str, str] = {}  # our model id → its id at the split's provider
    features: tuple[str, ...] = ()  # what the feature header may say
    feature_if_absent: str = ""  # without that header, except on paths with /openrouter; empty: none
    promotions: tuple[Promotion, ...] = ()
    custom_llm_prefix: str = ""
    metrics_client_name: str = ""  # of this gateway, in the records of requests
    alert_windows: tuple[Window, ...] = WINDOWS
    legacy_client_prefix: str = ""  # what the User-Agent of old clients begins with; empty: there are none
    split: Split = Split()
    free: FreeLimits = FreeLimits()
    subscriptions: SubscriptionRules = field(default_factory=SubscriptionRules)
    own_keys: OwnKeys = field(default_factory=OwnKeys)
    identity: Identity = field(default_factory=Identity)
    anthropic: AnthropicFacts = AnthropicFacts()
    openai: OpenAIFacts = OpenAIFacts()


def parse_preset(text: bytes, name: str) -> Preset:
    """The preset of a TOML file. Raises PresetError, which names it."""
    try:
        preset = decode(text, type=Preset)
    except (ValidationError, ValueError) as error:
        raise PresetError(f"preset: {name}: {error}") from None
    _check_once(f"preset: {name}: hosted_models", [model.public_id for model in preset.hosted_models])
    _check_once(
        f"preset: {name}: auto_models", [one for model in preset.auto_models for one in (model.id, *model.aliases)]
    )
    if not preset.stream_comment.isprintable():  # it is a line of a stream
        raise PresetError(f"preset: {name}: stream_comment: must be one line of printable characters")
    if preset.split.provider and not preset.split.default_provider:
        raise PresetError(f"preset: {name}: split.default_provider: must be set when split.provider is")
    return preset


def _check_once(what: str, ids: list[str]) -> None:
    """Ids are looked up in lower case. Raises PresetError when one has two entries."""
    for id_, count in Counter(id_.lower() for id_ in ids).items():
        if count > 1:
            raise PresetError(f"{what}: {id_} occurs twice")
