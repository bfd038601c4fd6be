"""Every knob, typed.

Precedence: defaults < `tollway.toml` (or the file `TOLLWAY_CONFIG` names) < `TOLLWAY_*`, nested with `__`. A secret may
come from a file: `<NAME>_FILE`. Unknown keys refuse to start. `make docs` writes the reference page from the help here.
"""

import re
import tomllib
from base64 import b64encode
from collections.abc import Mapping
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator

from tollway.call_defaults import CallLimits, CallTimeouts
from tollway.environment import environment
from tollway.kept_secret import EmptySecretError, read_or_make, secret_text
from tollway.settings_error import SettingsError as SettingsError

PREFIX: Final = "TOLLWAY_"
JWT_SECRET_BYTES_MIN: Final = 32  # as many as the hash of HS256 has (RFC 7518, 3.2)
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^`|~0-9A-Za-z-]{1,64}")  # underscores: such headers are dropped
_CALLS: Final = CallLimits()
_WAITS: Final = CallTimeouts()
_MAPPED_IPV4: Final = IPv6Network("::ffff:0:0/96")
CLIENT_VARIABLES: Final = frozenset(  # of the commands auth, models and run (docs/guides/providers)
    {
        "TOLLWAY_API_KEY",
        "TOLLWAY_API_URL",
        "TOLLWAY_AUTH_CONTENT",
        "TOLLWAY_CONFIG_CONTENT",
        "TOLLWAY_CONFIG_DIR",
        "TOLLWAY_DISABLE_MODELS_FETCH",
        "TOLLWAY_ORG_ID",
    }
)
_NOT_SETTINGS: Final = frozenset({"TOLLWAY_CONFIG", *CLIENT_VARIABLES})


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Limits(Section):
    """Bounds on what comes in and what is kept. Source: guarantees §3, §6, §12."""

    connections: int = Field(20_000, gt=0, description="Open client connections of one worker; more are closed.")
    connections_per_address: int = Field(
        2_000, gt=0, description="Open connections of one address, but of trusted_proxies."
    )
    in_flight: int = Field(12_000, gt=0, description="Requests a worker handles at once; more wait.")
    queue: int = Field(100, ge=0, description="Requests that wait for a place among those; more get 503.")
    in_flight_per_account: int = Field(200, gt=0, description="Requests of one payer at once; more get 429.")
    in_flight_per_key: int = Field(100, gt=0, description="Requests of one API key at once; more get 429.")
    request_line_bytes: int = Field(8_192, gt=0, description="Longest request line in bytes; over it 414.")
    header_value_bytes: int = Field(8_192, gt=0, description="Longest header value in bytes; over it 431.")
    headers_bytes: int = Field(32_768, gt=0, description="All request headers together in bytes; over it 431.")
    headers_count: int = Field(100, gt=0, description="Number of request headers; over it 431.")
    completion_body_bytes: int = Field(20 * 1024**2, gt=0, description="Body of a completion request; over it 413.")
    management_body_bytes: int = Field(
        256 * 1024, gt=0, description="Body of a request to the management API in bytes; over it 413."
    )
    api_body_bytes: int = Field(1024**2, gt=0, description="Body of any other request in bytes; over it 413.")
    upstream_headers_bytes: int = Field(
        _CALLS.upstream_headers_bytes, gt=0, description="Headers of an upstream's answer in bytes."
    )
    upstream_body_bytes: int = Field(
        _CALLS.upstream_body_bytes, gt=0, description="Body of a non-streamed upstream answer in bytes."
    )
    upstream_stream_bytes: int = Field(256 * 1024**2, gt=0, description="Bytes of one upstream stream.")
    upstream_line_bytes: int = Field(1024**2, gt=0, description="One line (event) of an upstream stream in bytes.")
    upstream_in_flight: int = Field(
        _CALLS.upstream_in_flight, gt=0, description="Requests at one upstream at once; more get 503."
    )
    upstream_connecting: int = Field(
        _CALLS.upstream_connecting, gt=0, description="Connects under way to one upstream at once."
    )
    upstream_idle: int = Field(_CALLS.upstream_idle, ge=0, description="Idle connections kept to one upstream.")
    custom_upstream_pools: int = Field(
        _CALLS.custom_upstream_pools, gt=0, description="Custom upstreams that a worker has connections to."
    )
    custom_upstream_idle: int = Field(
        _CALLS.custom_upstream_idle, ge=0, description="Idle connections kept to one custom upstream."
    )
    drains: int = Field(100, ge=0, description="Answers read to their end at once after their client went away.")
    memory_bytes: int | None = Field(
        None,
        gt=0,
        description="Memory of all workers together; over 80 % no anonymous requests, over 90 % none. Unset: what the "
        "control group (a container) may have, or no limit.",
    )
    identities: int = Field(200_000, gt=0, description="Cached verdicts about credentials.")
    failed_logins_per_minute: int = Field(
        20, ge=0, le=1_000, description="Bad credentials of one address in a minute; then unknown ones get 429. 0: off."
    )
    free_addresses: int = Field(
        20_000, gt=0, description="Client addresses whose free use a worker counts itself; it never forgets a full one."
    )


class Timeouts(Section):
    """Waits in seconds. "Total" ones are absolute, so a peer that drips bytes gains nothing. Source: guarantees §4."""

    first_byte_s: float = Field(10, gt=0, description="First byte on a new connection, then it is closed.")
    headers_s: float = Field(10, gt=0, description="All request headers, total; then 408.")
    body_s: float = Field(60, gt=0, description="Request body, total; then 408.")
    body_grace_s: float = Field(10, gt=0, description="After this, a body must have come at body_bytes_per_s.")
    body_bytes_per_s: int = Field(8_192, ge=0, description="Slowest body accepted after the grace, bytes per second.")
    queue_s: float = Field(1, gt=0, description="Request waits for a place in a full worker; then 503.")
    keep_alive_s: float = Field(75, gt=0, description="Idle keep-alive connection, then it is closed.")
    client_stall_s: float = Field(30, gt=0, description="Client takes no byte while data waits; then it is dropped.")
    resolve_s: float = Field(_WAITS.resolve_s, gt=0, description="Look-up of an upstream's address.")
    connect_s: float = Field(_WAITS.connect_s, gt=0, description="Connect and TLS handshake with an upstream.")
    send_s: float = Field(_WAITS.send_s, gt=0, description="Sending the request to an upstream.")
    stream_headers_s: float = Field(
        _WAITS.stream_headers_s, gt=0, description="Upstream's response headers of a stream."
    )
    answer_s: float = Field(_WAITS.answer_s, gt=0, description="Whole non-streamed answer of an upstream, total.")
    first_event_s: float = Field(_WAITS.first_event_s, gt=0, description="First event of a stream.")
    silence_s: float = Field(_WAITS.silence_s, gt=0, description="Silence between bytes of a stream.")
    stream_s: float = Field(_WAITS.stream_s, gt=0, description="Whole stream, total.")
    comment_s: float = Field(15, gt=0, description="Keep-alive comment to a client that waits in a stream.")
    drain_s: float = Field(60, gt=0, description="Reading an answer to its end after its client went away.")
    retry_total_s: float = Field(20, gt=0, description="All retries of one request together.")
    upstream_idle_s: float = Field(
        _WAITS.upstream_idle_s, gt=0, description="Idle upstream connection, then it is closed."
    )
    shutdown_s: float = Field(120, gt=0, description="Streams may finish for this long after SIGTERM.")
    identity_cache_s: float = Field(60, gt=0, le=60, description="Longest life of a cached verdict.")
    identity_poll_s: float = Field(2, gt=0, le=5, description="How often revocations are looked for.")
    estimates_poll_s: float = Field(60, gt=0, description="How often upstreams are asked about estimated charges.")
    lookup_s: float = Field(
        20,
        ge=0,
        description="For how long after an answer's end its upstream is asked what it cost; 0: only later.",
    )
    books_poll_s: float = Field(60, gt=0, description="How often the books are read and compared; seldomer if long.")
    redis_s: float = Field(0.05, gt=0, description="Question to Redis; then the worker decides by itself.")


class Retries(Section):
    """What may be tried again, before the first byte reached the client. Source: guarantees U1 to U3."""

    count_max: int = Field(2, ge=0, description="Retries of one request; 0 turns them off.")
    backoff_s: float = Field(0.2, ge=0, description="First pause; it doubles, with full jitter.")
    retry_after_s_max: float = Field(10, ge=0, description="Longest Retry-After of an upstream that is obeyed.")
    budget_share: float = Field(0.2, ge=0, le=1, description="Retries as a share of first attempts over 10 s.")
    budget_min: int = Field(3, ge=0, description="Retries always allowed over 10 s.")


class BreakerRules(Section):
    """When an upstream is left alone for a model. Source: guarantees U4."""

    failures_in_a_row: int = Field(10, ge=0, description="So many failures in a row open it; 0: only the share does.")
    failure_share: float = Field(0.5, gt=0, le=1, description="Share of failures that opens it, over window_s.")
    calls_min: int = Field(20, ge=0, description="Attempts in window_s before the share counts; 0: it never does.")
    window_s: float = Field(30, gt=0, description="Attempts that count, in seconds back.")
    open_s: float = Field(15, gt=0, description="It stays open for this long; it doubles while trials fail.")
    open_s_max: float = Field(120, gt=0, description="Longest time it stays open between two trials.")


class ProviderSettings(Section):
    """One upstream. `kind` names the provider record; by default it is the table's own name."""

    kind: str = Field("", description="Provider record, such as openrouter, vercel or compatible.")
    base_url: str = Field("", description="Base URL, up to and without /chat/completions.")
    api_key: SecretStr | None = Field(None, description="Operator's key for this upstream.")
    api_key_file: Path | None = Field(None, description="File that holds the operator's key.")
    ca_file: Path | None = Field(None, description="PEM file of the authority that signed the upstream's certificate.")
    stops_billing_on_abort: bool | None = Field(None, description="Upstream stops billing when a stream is aborted.")
    reports_cost: bool | None = Field(None, description="Charge the cost that the upstream reports.")
    generation_lookup: bool | None = Field(None, description="Upstream tells about an answer afterwards: /generation.")


class ModelSettings(Section):
    """A model the operator adds or overrides. Prices are USD per million tokens, exact decimals."""

    id: str = Field(min_length=1, max_length=256, description="Public id, vendor/name.")
    provider: str = Field(min_length=1, description="Name of a provider of this file.")
    upstream_model: str = Field("", description="Id at the upstream; by default the public id.")
    name: str = Field("", description="Name shown in listings.")
    context_length: int = Field(128_000, gt=0, description="Context window in tokens.")
    completion_tokens_max: int = Field(16_384, gt=0, description="Longest completion in tokens.")
    prompt_usd_per_million: Decimal = Field(ge=0, description="Price of a million prompt tokens in USD.")
    completion_usd_per_million: Decimal = Field(ge=0, description="Price of a million completion tokens in USD.")
    cached_usd_per_million: Decimal | None = Field(None, ge=0, description="Price of a million cached prompt tokens.")
    cache_write_usd_per_million: Decimal | None = Field(None, ge=0, description="Price of a million cache writes.")
    request_usd: Decimal = Field(Decimal(0), ge=0, description="Price of one request in USD.")


class NoticeSettings(Section):
    """Who is told that money runs out. Source: response-path 6.10, 6.17."""

    url: str = Field("", description="Webhook that is told of low balances and due top-ups; empty: nobody is.")
    token: SecretStr | None = Field(None, description="Bearer token that is shown to the webhook.")
    token_file: Path | None = Field(None, description="File that holds the token for the webhook.")
    top_up_below_usd: int = Field(5, ge=0, description="A user's balance in USD below which a top-up is due.")
    top_up_below_organization_usd: int = Field(
        50, ge=0, description="An organization's balance in USD below which a top-up is due."
    )


class ApiMetricsSettings(Section):
    """Records of single chat requests, for statistics and alerts: who served it, how fast, how it ended; no text of
    it. Source: response-path §9."""

    enabled: bool = Field(False, description="Make a record of each chat request that went to an upstream.")
    store: bool = Field(True, description="Keep the records in the table api_metrics.")
    receiver_url: str = Field("", description="Where to send each record as well, http(s)://…/ingest/api-metrics.")
    receiver_token: SecretStr | None = Field(
        None, description="Secret shared with that receiver; without it nothing is sent."
    )
    receiver_token_file: Path | None = Field(None, description="File that holds that secret.")
    admin_token: SecretStr | None = Field(
        None, description="Secret of whoever may send records here and configure alerts; unset: nobody."
    )
    admin_token_file: Path | None = Field(None, description="File that holds that secret.")
    client_name: str = Field("", description="Name of this gateway in the records; a preset may have its own.")
    waiting_max: int = Field(10_000, gt=0, description="Records that wait in a worker; more are dropped and counted.")
    batch: int = Field(500, gt=0, le=5_000, description="Records written in one transaction.")
    flush_s: float = Field(1, gt=0, description="How often records are written.")
    retention_days: int = Field(8, gt=0, description="Days after which a stored record is deleted.")


class AlertSettings(Section):
    """Alerts about models that fail or are slow, from the stored records. Which models: `/alerting/config`. Source:
    response-path 9.7."""

    enabled: bool = Field(False, description="Evaluate the alerts once a minute, in one worker of the deployment.")
    page_webhook_url: SecretStr | None = Field(None, description="Where pages go: a webhook that takes Slack's blocks.")
    page_webhook_url_file: Path | None = Field(None, description="File that holds the address for pages.")
    ticket_webhook_url: SecretStr | None = Field(None, description="Where tickets go.")
    ticket_webhook_url_file: Path | None = Field(None, description="File that holds the address for tickets.")
    webhook_s: float = Field(5, gt=0, description="Longest wait for a webhook.")
    page_cooldown_s: int = Field(900, gt=0, description="A page is not repeated for this long.")
    ticket_cooldown_s: int = Field(14_400, gt=0, description="A ticket is not repeated for this long.")
    interval_s: float = Field(60, gt=0, description="How often the alerts are evaluated.")


class AnalyticsSettings(Section):
    """Events about users' first requests, with their e-mail address, for a PostHog-shaped sink. Off without a key.
    Source: response-path §8."""

    url: str = Field("https://us.i.posthog.com/capture/", description="Where events are sent.")
    api_key: SecretStr | None = Field(None, description="Key of the project there; unset: nothing is noted or sent.")
    api_key_file: Path | None = Field(None, description="File that holds that key.")
    tries_max: int = Field(5, gt=0, description="How often one event is tried before it is given up.")
    answer_s: float = Field(5, gt=0, description="Longest wait for the sink.")
    interval_s: float = Field(30, gt=0, description="How often events that are due are sent.")


class CustomUpstreamSettings(Section):
    """Endpoints that users and organizations register. Source: request-path 12."""

    enabled: bool = Field(True, description="Requests may go to registered endpoints.")
    allowed_ports: tuple[int, ...] = Field((), description="Ports that endpoints may have besides 443.")
    allowed_private_endpoints: tuple[str, ...] = Field(
        (), description="Internal endpoints that may be registered: host:port, or http://host:port without TLS."
    )
    may_shadow: bool = Field(False, description="Endpoints may be called like a vendor of the catalog.")
    per_owner_max: int = Field(50, gt=0, le=1_000, description="Endpoints of one user or organization.")
    probes_per_hour: int = Field(
        20, gt=0, description="Tests and discoveries of one owner per hour; as many tests of own keys."
    )

    @field_validator("allowed_ports", "allowed_private_endpoints", mode="before")
    @classmethod
    def _are_lists(cls, value: object) -> object:
        return tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value


class CatalogSettings(Section):
    """Where models and prices come from besides this file. Source: catalog-and-clients A."""

    sync: Literal["auto", "on", "off"] = Field(
        "auto", description="Read OpenRouter's and Vercel's lists; auto: when they are configured at their own address."
    )
    interval_s: float = Field(600, gt=0, description="How often one of the workers reads them.")
    poll_s: float = Field(30, gt=0, description="How often each worker looks for a newer snapshot and for new prices.")
    site_url: str = Field(
        "https://openrouter.ai/api/frontend", description="Base URL of the provider directory that tells data policies."
    )
    public_url: str = Field(
        "https://openrouter.ai/api/v1", description="Base URL of the provider list that is mirrored besides."
    )
    cron_secret: SecretStr | None = Field(
        None, description="Credential of GET /api/cron/sync-providers; without it nobody may call it."
    )
    cron_secret_file: Path | None = Field(None, description="File that holds it.")
    heartbeat_url: str = Field("", description="Called after each run that succeeds; empty: nothing is.")
    stale_s: float = Field(3_600, gt=0, description="Age of the newest snapshot at which an error is logged.")
    allow_by_provider: bool = Field(
        False, description="In model_allow_list, provider/* also allows what that inference provider serves."
    )


def _organization_ids(value: tuple[str, ...]) -> tuple[str, ...]:
    if "" in value:
        raise ValueError("must be ids of organizations")
    return value


class RequestLogSettings(Section):
    """Whose requests and answers are kept, word for word; nobody's by default. Source: response-path 10."""

    email_suffixes: tuple[str, ...] = Field(
        (), description="Personal requests of users whose address ends so are kept; each starts with @."
    )
    organizations: tuple[str, ...] = Field(
        (), description="Ids of organizations whose requests are kept if they want it themselves; *: of every one."
    )
    retention_days: int = Field(
        7, ge=1, le=365, description="For how many days they are kept; an organization sets its own number."
    )
    response_bytes: int = Field(5 * 1024**2, gt=0, description="An answer is cut after so many bytes.")
    waiting_bytes: int = Field(
        64 * 1024**2, gt=0, description="Memory of a worker for those that are not written yet; more are dropped."
    )

    @field_validator("email_suffixes", "organizations", mode="before")
    @classmethod
    def _are_lists(cls, value: object) -> object:
        return tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value

    @field_validator("email_suffixes")
    @classmethod
    def _are_suffixes(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(one.startswith("@") and len(one) > 1 for one in value):
            raise ValueError("must start with @, or other domains would match as well")
        return tuple(one.lower() for one in value)

    @field_validator("organizations")
    @classmethod
    def _are_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _organization_ids(value)


class AbuseSettings(Section):
    """A service that is told of requests and says what it thinks of them; advisory. Source: response-path 11."""

    base_url: str = Field("", description="Where the service is; empty: there is none.")
    client_id: str = Field("", description="CF-Access-Client-Id that is shown to it; only with a secret.")
    client_secret: SecretStr | None = Field(None, description="CF-Access-Client-Secret that is shown to it.")
    client_secret_file: Path | None = Field(None, description="File that holds the secret.")
    send_prompts: bool = Field(False, description="It is sent the texts of prompts, whole.")
    verdict_s: float = Field(2, gt=0, description="A verdict counts until so long after the upstream's headers.")
    answer_s: float = Field(20, gt=0, description="One question to it, in all.")
    in_flight: int = Field(200, gt=0, description="Questions of a worker at once; beyond them none is asked.")


class JwtSettings(Section):
    """Bearer tokens signed by another system. Source: request-path §6."""

    secret: SecretStr | None = Field(None, description="HS256 secret; without it no token is accepted.")
    secret_file: Path | None = Field(None, description="File that holds the HS256 secret.")
    environment: str = Field("", description="Expected env claim; empty: not compared.")
    skew_s: int = Field(60, ge=0, le=60, description="Clock skew allowed for iat and nbf.")
    expiry_skew_s: int = Field(0, ge=0, le=60, description="Clock skew allowed for exp.")


class Settings(Section):
    """The whole tree, as `tollway.toml` spells it."""

    listen: str = Field("127.0.0.1:8788", description="Address and port to serve on; port 0 picks a free one.")
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = Field(
        (), description="Networks of proxies in front that are believed who the client is; nobody else is."
    )
    client_ip_header: str = Field(
        "", description="Header in which they give the client's address; by default the end of X-Forwarded-For."
    )
    rate_limit_ipv6_prefix: int = Field(
        64, ge=1, le=128, description="IPv6 clients are limited per network of so many bits."
    )
    workers: int = Field(1, ge=1, le=256, description="Worker processes, each with a listener of its own.")
    state_dir: Path = Field(Path("./var"), description="Folder for the database file, generated secrets and journals.")
    database_url: str = Field("sqlite:///./var/tollway.db", description="sqlite:///path or postgresql://….")
    redis_url: SecretStr | None = Field(
        None, description="redis://…, rediss://… or unix://…, where all workers count free use; unset: each on its own."
    )
    redis_url_file: Path | None = Field(None, description="File that holds the address of Redis.")
    instances: int = Field(
        1,
        ge=1,
        description="Tollways that share the traffic; without Redis each worker gives away its part of a limit.",
    )
    database_pool_size: int = Field(5, ge=1, le=100, description="Database connections of one worker.")
    database_pool_wait_s: float = Field(
        1, gt=0, description="Request waits for one of them, then 503 ledger_unavailable; settlement waits longer."
    )
    migrate_on_start: bool = Field(True, description="Bring the schema up to date when serving starts.")
    key_pepper: SecretStr | None = Field(None, description="Pepper of stored key hashes; made and kept if unset.")
    key_pepper_file: Path | None = Field(None, description="File that holds the key pepper.")
    user_hash_secret: SecretStr | None = Field(
        None, description="Secret in the hashes by which upstreams know users; made and kept if unset."
    )
    user_hash_secret_file: Path | None = Field(None, description="File that holds the secret of the users' hashes.")
    anon_id_key: SecretStr | None = Field(None, description="Key of anonymous callers' ids; made and kept if unset.")
    anon_id_key_file: Path | None = Field(None, description="File that holds the key of anonymous callers' ids.")
    master_keys: SecretStr | None = Field(
        None, description="Keys that seal stored secrets: id:base64 of 32 bytes, by commas, the first one seals."
    )
    master_keys_file: Path | None = Field(None, description="File that holds the master keys.")
    byok_encryption_key: SecretStr | None = Field(
        None, description="Base64 of the 32 bytes under which secrets taken over from the reference are encrypted."
    )
    byok_encryption_key_file: Path | None = Field(None, description="File that holds that key.")
    custom_upstreams: CustomUpstreamSettings = Field(
        default=CustomUpstreamSettings(), description="Endpoints that users and organizations register."
    )
    catalog: CatalogSettings = Field(
        default=CatalogSettings(), description="Where models and prices come from besides this file."
    )
    request_log: RequestLogSettings = Field(
        default=RequestLogSettings(), description="Whose requests and answers are kept; nobody's by default."
    )
    abuse: AbuseSettings = Field(default=AbuseSettings(), description="A service that judges requests; advisory.")
    jwt: JwtSettings = Field(default=JwtSettings(), description="Bearer tokens signed by another system.")
    blocked_email_domains: str = Field(
        "", description="Users with an address in or below one of these domains are refused; separated by |."
    )
    preset: str = Field("", description="Models, rules and texts of a deployment: kilo, or a .toml file; empty: none.")
    hold_policy: Literal["partial", "strict"] = Field(
        "partial", description="partial: hold what is left; strict: all or 402."
    )
    management_api: bool = Field(True, description="Serve /api/admin/v1, the account routes and the login of devices.")
    store_prompt_prefixes: bool = Field(
        False, description="Store the first 100 characters of personal requests' prompts."
    )
    prompt_prefix_days: int = Field(
        30, ge=1, description="For how many days those are kept; an organization sets its own number."
    )
    prompt_prefix_organizations: tuple[str, ...] = Field(
        (), description="Ids of organizations whose first characters are stored if they want it; *: of every one."
    )
    app_url: str = Field(
        "http://127.0.0.1:8788",
        description="Where people buy credits (the 402 body) and approve devices: below it is /device-auth.",
    )
    first_topup_bonus_usd: int = Field(20, ge=0, description="Bonus named in the 402 body of a new account.")
    http_referer: str = Field(
        "https://github.com/tollway/tollway", description="HTTP-Referer for providers; a preset may have its own."
    )
    x_title: str = Field("Tollway", description="X-Title for providers; a preset may have its own.")
    notices: NoticeSettings = Field(default=NoticeSettings(), description="Who is told that money runs out.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Least level that is logged.")
    providers: dict[str, ProviderSettings] = Field(default_factory=dict, description="Upstreams by name.")
    models: tuple[ModelSettings, ...] = Field((), description="Models added or overridden by the operator.")
    limits: Limits = Field(default=Limits(), description="Bounds.")
    timeouts: Timeouts = Field(default=Timeouts(), description="Waits.")
    retries: Retries = Field(default=Retries(), description="Retries.")
    api_metrics: ApiMetricsSettings = Field(default=ApiMetricsSettings(), description="Records of chat requests.")
    alerts: AlertSettings = Field(default=AlertSettings(), description="Alerts.")
    analytics: AnalyticsSettings = Field(default=AnalyticsSettings(), description="First-usage events.")
    breaker: BreakerRules = Field(
        default=BreakerRules(), description="When an upstream that fails is left alone, for each model."
    )

    @field_validator("listen")
    @classmethod
    def _is_address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdigit() or int(port) > 65535:
            raise ValueError("must be host:port")
        return value

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _are_networks(cls, value: object) -> object:
        values = [one.strip() for one in value.split(",") if one.strip()] if isinstance(value, str) else value
        return tuple(_network(one) for one in values) if isinstance(values, list | tuple) else values

    @field_validator("prompt_prefix_organizations", mode="before")
    @classmethod
    def _are_lists(cls, value: object) -> object:
        return tuple(one.strip() for one in value.split(",") if one.strip()) if isinstance(value, str) else value

    @field_validator("prompt_prefix_organizations")
    @classmethod
    def _are_ids(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _organization_ids(value)

    @field_validator("client_ip_header")
    @classmethod
    def _is_header_name(cls, value: str) -> str:
        if value and not _HEADER_NAME.fullmatch(value):
            raise ValueError("must be the name of a header, without underscores")
        return value

    @field_validator("database_url")
    @classmethod
    def _is_database(cls, value: str) -> str:
        if not value.startswith(("sqlite:///", "postgresql://")):
            raise ValueError("must start with sqlite:/// or postgresql://")
        return value

    @property
    def host(self) -> str:
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.listen.rpartition(":")[2])

    def jwt_secret(self) -> bytes | None:
        """The HS256 secret, or None when tokens are off. Raises SettingsError when it is short enough to be guessed."""
        text = secret_text("jwt.secret", self.jwt.secret, self.jwt.secret_file)
        if text and len(text.encode()) < JWT_SECRET_BYTES_MIN:
            raise SettingsError(f"jwt.secret: must have at least {JWT_SECRET_BYTES_MIN} bytes")
        return text.encode() if text else None

    def redis_address(self) -> str | None:
        """Where Redis is, or None without one. Raises SettingsError."""
        text = secret_text("redis_url", self.redis_url, self.redis_url_file)
        if text and not text.startswith(("redis://", "rediss://", "unix://")):
            raise SettingsError("redis_url: must start with redis://, rediss:// or unix://")
        return text or None

    def pepper(self) -> bytes:
        """The pepper of key hashes."""
        return self._kept("key_pepper", self.key_pepper, self.key_pepper_file)

    def hash_secret(self) -> bytes:
        """What makes the hashes by which upstreams know users this deployment's own."""
        return self._kept("user_hash_secret", self.user_hash_secret, self.user_hash_secret_file)

    def master_key_text(self) -> str:
        """`id:base64` of each master key, by commas; without a setting one called `local` is made and kept."""
        text = secret_text("master_keys", self.master_keys, self.master_keys_file)
        if text:
            return text
        kept = self._kept("master_key", None, None)
        try:
            return f"local:{b64encode(bytes.fromhex(kept.decode())).decode()}"
        except ValueError:
            raise SettingsError("state_dir: master-key does not hold the key that was made") from None

    def reference_key_text(self) -> str | None:
        """The reference's key for stored secrets, as it is given."""
        return secret_text("byok_encryption_key", self.byok_encryption_key, self.byok_encryption_key_file)

    def anonymous_key(self) -> bytes:
        """The key of anonymous callers' ids. With another one they are others."""
        return self._kept("anon_id_key", self.anon_id_key, self.anon_id_key_file)

    def _kept(self, name: str, value: SecretStr | None, file: Path | None) -> bytes:
        """A secret as set; without a setting one is made once and kept in the state folder. Raises SettingsError."""
        text = secret_text(name, value, file)
        if text:
            return text.encode()
        kept = self.state_dir / name.replace("_", "-")
        try:
            return read_or_make(kept)
        except OSError as error:
            raise SettingsError(f"state_dir: {kept.name} cannot be kept there: {error.strerror}") from None
        except EmptySecretError:
            raise SettingsError(f"state_dir: {kept.name} is empty") from None


def _network(value: object) -> IPv4Network | IPv6Network:
    """IPv4 inside IPv6 is IPv4, as clients' addresses are. Raises ValueError."""
    try:
        network = ip_network(value if isinstance(value, str) else str(value))
    except ValueError:
        raise ValueError("must be networks such as 10.0.0.0/8 or fd00::/8") from None
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED_IPV4):
        return IPv4Network((int(network.network_address) & 0xFFFF_FFFF, network.prefixlen - 96))
    return network


PROVIDER_KEYS: Final = {
    "OPENROUTER_API_KEY": "openrouter",
    "OPENAI_API_KEY": "openai",
    "VERCEL_AI_GATEWAY_API_KEY": "vercel",
    "MISTRAL_API_KEY": "mistral",
    "MARTIAN_API_KEY": "martian",
    "CORETHINK_API_KEY": "corethink",
    "GIGAPOTATO_API_KEY": "gigapotato",
    "FASTROUTER_API_KEY": "fastrouter",
    "APERTIS_API_KEY": "apertis",
}
REFERENCE_KEY: Final = "BYOK_ENCRYPTION_KEY"  # as the reference calls it
PROVIDER_URLS: Final = {"GIGAPOTATO_API_URL": "gigapotato"}


def provider_keys_set(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The usual provider key variables that are set, each with the provider it is for. Never their values."""
    environ = environment() if environ is None else environ
    return {name: provider for name, provider in PROVIDER_KEYS.items() if environ.get(name)}


ConfigPath = Annotated[Path | None, "None: TOLLWAY_CONFIG, else ./tollway.toml if it is there"]


def load(config: ConfigPath = None, environ: Mapping[str, str] | None = None) -> Settings:
    """Read file and environment. Raises SettingsError with one line naming the setting."""
    environ = environment() if environ is None else environ
    tree = _read_file(config, environ)
    for name, value in sorted(environ.items()):
        if name.startswith(PREFIX) and name not in _NOT_SETTINGS:
            _place(tree, name.removeprefix(PREFIX).lower().split("__"), value)
    for setting, providers in (("api_key", PROVIDER_KEYS), ("base_url", PROVIDER_URLS)):
        for name, provider in providers.items():
            if environ.get(name):
                tree.setdefault("providers", {}).setdefault(provider, {}).setdefault(setting, environ[name])
    if environ.get(REFERENCE_KEY):
        tree.setdefault("byok_encryption_key", environ[REFERENCE_KEY])
    return parse(tree)


def parse(tree: Mapping[str, Any]) -> Settings:
    """Validate a tree of plain values. Raises SettingsError with one line naming the setting."""
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(str(part) for part in first["loc"]) or "settings"
        what = "is not a setting" if first["type"] == "extra_forbidden" else first["msg"]
        raise SettingsError(f"{name}: {what}") from None


def _read_file(config: Path | None, environ: Mapping[str, str]) -> dict[str, Any]:
    named = config or (Path(environ["TOLLWAY_CONFIG"]) if environ.get("TOLLWAY_CONFIG") else None)
    path = named or Path("tollway.toml")
    if named is None and not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(), parse_float=Decimal)
    except (OSError, UnicodeDecodeError):
        raise SettingsError(f"{path}: the configuration file cannot be read") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: {error}") from None


def _place(tree: dict[str, Any], path: list[str], value: str) -> None:
    """Put an environment value at its nested place; lists are comma-separated."""
    for part in path[:-1]:
        nested = tree.setdefault(part, {})
        if not isinstance(nested, dict):
            raise SettingsError(f"{'.'.join(path)}: is not a setting")
        tree = nested
    tree[path[-1]] = value
