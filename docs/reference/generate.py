"""Write the reference pages and tollway.example.toml from the code: `make docs`.

tests/tidy/test_documents.py compares the pages with what this would write, so they are never out of date.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import typer
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from starlette.routing import Route

from tollway.cli.main import COMMANDS, application, load
from tollway.errors import CATALOGUE, Code, Fault, Problem, Shape
from tollway.http.api import ApiServices, build_api
from tollway.http.catalog import CatalogServices
from tollway.http.catalog_details import DetailServices
from tollway.http.cron import CronServices
from tollway.http.custom_upstreams import UpstreamServices
from tollway.http.management.call import Access, ManagementServices
from tollway.http.problems import error_type
from tollway.http.routes import HOT_ROUTES
from tollway.observability.metrics import Metrics
from tollway.providers.provider import Provider
from tollway.providers.registry import load_providers
from tollway.settings import PROVIDER_KEYS, PROVIDER_URLS, Settings

ROOT: Final = Path(__file__).parents[2]
NOTE: Final = "<!-- Written by docs/reference/generate.py (`make docs`). Change the code, not this page. -->\n"


def pages() -> dict[str, str]:
    """Path from the repository's root → text of everything that is generated."""
    writers: dict[str, Callable[[], Iterator[str]]] = {
        "settings.md": _settings,
        "errors.md": _errors,
        "routes.md": _routes,
        "cli.md": _commands,
        "providers.md": _providers,
        "links.md": _links,
    }
    written = {f"docs/reference/{name}": NOTE + _joined(write()) for name, write in writers.items()}
    return {**written, "tollway.example.toml": _joined(_example())}


def _joined(lines: Iterable[str]) -> str:
    return "\n".join(lines).rstrip() + "\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (head, tuple("---" for _ in head), *rows):
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


# Settings


def _settings() -> Iterator[str]:
    yield "# Settings\n"
    yield (
        "Defaults are overridden by `tollway.toml` in the working directory (`TOLLWAY_CONFIG` names another file), and"
        " those by environment variables. A secret may come from a file instead: `…_file`. A name that is not on this"
        " page refuses to start, and so does a value that does not fit; the message names the setting, not the value.\n"
    )
    names = [f"`{name}`" for name in (*PROVIDER_KEYS, *PROVIDER_URLS)]
    yield (
        f"Keys have their usual names as well: {', '.join(names[:-1])} and {names[-1]} configure the provider of that"
        " name. Everything at a glance: [`tollway.example.toml`](../../tollway.example.toml).\n"
    )
    for path, section in sections():
        yield f"## {f'`[{_table_name(path)}]`' if path else 'Top level'}\n"
        if path and section.__doc__:
            yield f"{_for_readers(section.__doc__)}\n"
        rows = ((name, path, field) for name, field in section.model_fields.items() if not is_section(field))
        yield from _table(
            ("Setting", "Environment variable", "Default", "Unit or values", "Meaning"),
            (
                (
                    f"`{name}`",
                    _environment_name(path, name),
                    _default(name, field),
                    _unit(name, field),
                    field.description or "",
                )
                for name, path, field in rows
            ),
        )
        yield ""


def _for_readers(docstring: str) -> str:
    """Without where the rule comes from, which is for whoever reads the code."""
    return re.sub(r"\s*Source: .*", "", " ".join(docstring.split()))


def sections() -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    """The tree of settings, outermost first: where each section lies, and its class."""
    yield (), Settings
    for name, field in Settings.model_fields.items():
        if is_section(field):
            yield from _below((name,), field)


def _below(path: tuple[str, ...], field: FieldInfo) -> Iterator[tuple[tuple[str, ...], type[BaseModel]]]:
    section = _section_of(field.annotation)
    if section is None:
        return
    if get_origin(field.annotation) is dict:
        path = (*path, "<name>")
    elif get_origin(field.annotation) is tuple:
        path = (*path, "<n>")
    yield path, section
    for name, inner in section.model_fields.items():
        yield from _below((*path, name), inner)


def is_section(field: FieldInfo) -> bool:
    return _section_of(field.annotation) is not None


def _section_of(annotation: Any) -> type[BaseModel] | None:
    for one in (annotation, *get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return one
    return None


def _table_name(path: tuple[str, ...]) -> str:
    return f"[{path[0]}]" if path[-1] == "<n>" else ".".join(path)


def _environment_name(path: tuple[str, ...], name: str) -> str:
    if "<n>" in path:
        return "only in the file"
    return f"`TOLLWAY_{'__'.join((*path, name)).upper()}`"


def _default(name: str, field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value in ("", ()):
        return "unset"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and "bytes" in name and value % 1024 == 0:
        return f"{value // 1024**2} MiB" if value % 1024**2 == 0 else f"{value // 1024} KiB"
    if isinstance(value, int | float | Decimal):
        return f"{value:,}"
    return f"`{value}`"


# Ending of a name → unit; the first that fits.
_UNITS: Final = (
    ("usd_per_million", "USD per million tokens"),
    ("usd", "USD"),
    ("bytes_per_s", "bytes per second"),
    ("_s", "seconds"),
    ("_s_max", "seconds"),
    ("bytes", "bytes"),
    ("context_length", "tokens"),
    ("tokens_max", "tokens"),
    ("share", "0 to 1"),
    ("_days", "days"),
    ("waiting_max", "records"),
    ("batch", "records"),
)


def _unit(name: str, field: FieldInfo) -> str:
    kinds = [one for one in (field.annotation, *get_args(field.annotation)) if one is not type(None)]
    if IPv4Network in get_args(kinds[1] if len(kinds) > 1 else None):
        return "networks; in the environment separated by commas"
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    if SecretStr in kinds:
        return "secret"
    if bool in kinds:
        return "true or false"
    if Path in kinds:
        return "path"
    if str in kinds:
        return "text"
    return next((unit for ending, unit in _UNITS if name.endswith(ending)), "number")


# The example configuration

# What to show for settings that have no default.
_SAMPLES: Final = {
    "key_pepper": '"at least 32 random characters"',
    "key_pepper_file": '"/run/secrets/key-pepper"',
    "user_hash_secret": '"at least 32 random characters"',
    "user_hash_secret_file": '"/run/secrets/user-hash-secret"',
    "anon_id_key": '"at least 32 random characters"',
    "anon_id_key_file": '"/run/secrets/anon-id-key"',
    "jwt.secret": '"at least 32 random characters"',
    "jwt.secret_file": '"/run/secrets/jwt-secret"',
    "limits.memory_bytes": "2_000_000_000",
    "api_metrics.receiver_url": '"https://metrics.example.com/ingest/api-metrics"',
    "api_metrics.receiver_token": '"shared with that receiver"',
    "api_metrics.receiver_token_file": '"/run/secrets/metrics-receiver"',
    "api_metrics.admin_token": '"at least 32 random characters"',
    "api_metrics.admin_token_file": '"/run/secrets/metrics-admin"',
    "api_metrics.client_name": '"tollway"',
    "alerts.page_webhook_url": '"https://hooks.slack.com/services/…"',
    "alerts.page_webhook_url_file": '"/run/secrets/page-webhook"',
    "alerts.ticket_webhook_url": '"https://hooks.slack.com/services/…"',
    "alerts.ticket_webhook_url_file": '"/run/secrets/ticket-webhook"',
    "analytics.api_key": '"phc_…"',
    "analytics.api_key_file": '"/run/secrets/analytics"',
    "providers.openrouter.kind": '"openrouter"',
    "providers.openrouter.base_url": '"https://openrouter.ai/api/v1"',
    "providers.openrouter.api_key": '"sk-or-v1-…"',
    "providers.openrouter.api_key_file": '"/run/secrets/openrouter"',
    "providers.openrouter.ca_file": '"/etc/ssl/certs/ca-certificates.crt"',
    "providers.openrouter.stops_billing_on_abort": "false",
    "providers.openrouter.reports_cost": "true",
    "providers.openrouter.generation_lookup": "true",
    "models.id": '"house/llama"',
    "models.provider": '"local"',
    "models.upstream_model": '"llama-3.3-70b-instruct"',
    "models.name": '"House Llama"',
    "models.prompt_usd_per_million": "0.12",
    "models.completion_usd_per_million": "0.30",
    "models.cached_usd_per_million": "0.03",
    "models.cache_write_usd_per_million": "0.15",
}
_MORE_PROVIDERS: Final = """\
# More providers: one table each. `compatible` is any server that speaks OpenAI's dialect.
#[providers.openai]
#api_key = "sk-…"

#[providers.local]
#kind = "compatible"
#base_url = "http://127.0.0.1:8000/v1"
"""


def _example() -> Iterator[str]:
    yield "# Everything that can be set, with its default, or a sample where there is none. Copy it to tollway.toml,"
    yield "# remove the # before what you change, and delete the rest. Nearly all can be environment variables too:"
    yield "# docs/reference/settings.md."
    yield ""
    for path, section in sections():
        table = tuple({"<name>": "openrouter"}.get(part, part) for part in path if part != "<n>")
        if path:
            yield f"# {_for_readers(section.__doc__ or '')}"
            yield f"#[[{path[0]}]]" if "<n>" in path else f"#[{'.'.join(table)}]"
        for name, field in section.model_fields.items():
            if not is_section(field):
                yield f"# {field.description}"
                yield f"#{name} = {_SAMPLES.get('.'.join((*table, name))) or _toml(field)}"
        yield ""
        if path[:1] == ("providers",):
            yield _MORE_PROVIDERS


def _toml(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return f"[{', '.join(_quoted(one) for one in value)}]"
    return (
        f"{value:_}" if isinstance(value, int) else str(value) if isinstance(value, float | Decimal) else _quoted(value)
    )


def _quoted(value: object) -> str:
    return '"' + str("" if value is None else value) + '"'


# Errors

_FAULTS: Final = {
    Fault.CALLER: "caller",
    Fault.OPERATOR: "operator",
    Fault.UPSTREAM: "upstream",
    Fault.TOLLWAY: "Tollway",
}
_SHAPES: Final = {
    Shape.GENERAL: "as everywhere",
    Shape.TITLED: '`{{"error":"{title}","message":…}}`',
    Shape.BARE: '`{{"error":"{title}"}}`',
    Shape.CODED: '`{{"error":{{"code":"{title}","message":…}}}}`',
    Shape.NUMBERED: '`{{"error":{{"message":…,"code":<status>,"type":"error"}}}}`',
    Shape.CREDITS: '`{{"error":{{"title":"{title}","message":…,"balance":…,"buyCreditsUrl":…}}}}`',
}


def _errors() -> Iterator[str]:
    yield "# Errors\n"
    yield (
        'Every refusal has one row. The body is `{"error": {"message", "type", "code", "request_id"}}`; `code` is'
        " stable: codes are added, never renamed. `request_id` is also the `x-request-id` header; quote it when you"
        " report a problem. Texts below are the default ones: for some refusals Tollway shows a more exact message.\n"
    )
    yield (
        "On the two drop-in prefixes `/api/gateway` and `/api/openrouter`, where existing clients compare bodies, some"
        " refusals keep their historic body; the last column shows it. Within a stream that has begun, the refusal is"
        " one last event with an `error` object, and no `[DONE]` follows.\n"
    )
    yield (
        "429, 503 and some others carry `Retry-After` in seconds. *Retry* says whether the same request may work later."
        " `client_gone` is never sent, because nobody is there to read it; it appears in logs and metrics.\n"
    )
    yield from _table(
        ("Code", "Status", "Whose fault", "Retry", "Type", "Message", "Body on the drop-in prefixes"),
        (_error_row(code) for code in Code),
    )


def _error_row(code: Code) -> tuple[str, ...]:
    entry = CATALOGUE[code]
    shape = _SHAPES[entry.historic].format(title=entry.title)
    retry = "yes" if entry.retryable else "no"
    kind = f"`{error_type(Problem(code))}`"
    return f"`{code.value}`", str(entry.status), _FAULTS[entry.fault], retry, kind, entry.message, shape


# Routes

_OPERATOR: Final = "who knows `api_metrics.admin_token` (header `X-O11Y-ADMIN-TOKEN`)"
# path → (who may call it, what it answers)
_ROUTE_NOTES: Final = {
    "/v1/chat/completions": ("a key or token", "Chat completion in OpenAI's dialect, streamed or whole."),
    "/v1/messages": ("a key or token, in `x-api-key` as well", "The same in Anthropic's dialect (Messages)."),
    "/v1/responses": ("a key or token", "The same in the dialect of OpenAI's Responses API; nothing is stored."),
    "/api/gateway/chat/completions": ("a key or token", "The same, for drop-in clients (historic error bodies)."),
    "/api/openrouter/chat/completions": ("a key or token", "The same, for clients that speak to OpenRouter."),
    "/v1/models": ("anyone", "The models that can be called here, with their prices; callers see their own as well."),
    "/api/gateway/models": ("anyone", "The same list."),
    "/api/openrouter/models": ("anyone", "The same list."),
    "/api/gateway/providers": ("anyone", "Inference providers with their data policies."),
    "/api/openrouter/providers": ("anyone", "The same list."),
    "/api/gateway/models-by-provider": ("anyone", "The newest snapshot of inference providers and their models."),
    "/api/openrouter/models-by-provider": ("anyone", "The same."),
    "/api/gateway/models/{author}/{slug}/endpoints": ("anyone", "Where the default gateway has one model served."),
    "/api/openrouter/models/{author}/{slug}/endpoints": ("anyone", "The same."),
    "/api/gateway/models/validate": ("anyone", "Whether there is a model of that id."),
    "/api/openrouter/models/validate": ("anyone", "The same."),
    "/api/defaults": ("anyone", "The models that clients begin with."),
    "/api/organizations/{organization_id}/defaults": ("its members", "The same, among what the organization allows."),
    "/api/cron/sync-providers": (
        "who has `catalog.cron_secret`",
        "One run of the catalog's sync, and what it stored. Only where a sync is on.",
    ),
    "/api/organizations/{organization_id}/models": ("its members", "What they may call as members, with prices."),
    "/api/custom-upstreams": (
        "GET: members; POST: their owners and billing managers; without an organization the user",
        "Custom upstreams of the owner ([guide](../guides/custom-upstreams.md)), or a new one.",
    ),
    "/api/custom-upstreams/models": ("a key or token", "Models of all custom upstreams that the caller may use."),
    "/api/custom-upstreams/discover": ("owners, billing managers, the user", "What an endpoint lists as its models."),
    "/api/custom-upstreams/{upstream_id}": (
        "GET: members; else owners, billing managers, the user",
        "One of them: show, change, delete.",
    ),
    "/api/custom-upstreams/{upstream_id}/test": ("owners, billing managers, the user", "Send it one tiny request."),
    "/health": ("anyone", "The process answers."),
    "/healthz": ("anyone", "The process answers; nothing else is looked at."),
    "/readyz": ("anyone", "200 while requests can be served, else 503 with the names of what is failing."),
    "/metrics": (
        "anyone who reaches the port",
        "Counters and gauges of the worker that answers, Prometheus text format.",
    ),
    "/ingest/api-metrics": (_OPERATOR, "Takes a record of a request from another gateway."),
    "/alerting/config": (_OPERATOR, "Models whose errors are watched: list, put, delete (`?model=`)."),
    "/alerting/ttfb-config": (_OPERATOR, "Models whose time to the first byte is watched: list, put, delete."),
    "/alerting/baseline": (_OPERATOR, "How often a model's requests fail (`?model=`)."),
    "/alerting/ttfb-baseline": (_OPERATOR, "How long a model's first byte takes (`?model=`)."),
}


def routes() -> Iterator[tuple[str, str]]:
    """(methods, path) of every route."""
    for path, _ in HOT_ROUTES.values():
        yield "POST", path
    for route in served():
        yield ", ".join(sorted(route.methods or ())), route.path_format


def served() -> Iterator[Route]:
    """Every route of the ASGI side."""
    unused: Any = None
    upstreams = UpstreamServices(*[unused] * 5)
    management = ManagementServices(**dict.fromkeys(ManagementServices.__slots__) | {"upstreams": upstreams})
    services = ApiServices(
        CatalogServices(*[unused] * 4),
        DetailServices(*[unused] * 6),
        CronServices(unused, unused),
        upstreams,
        {},
        lambda: False,
        Metrics(),
        management=management,
    )
    api: Any = build_api(services)
    while not hasattr(api, "routes"):
        api = api._app
    yield from (route for route in api.routes if isinstance(route, Route))


def _routes() -> Iterator[str]:
    yield "# Routes\n"
    yield (
        "The chat routes are served by the gateway pipeline ([life of a request](../concepts/life-of-a-request.md)),"
        " all others by an ordinary ASGI application. Every answer carries `x-request-id`. A path that is not listed is"
        " answered as `not_found`, under the drop-in prefixes as `invalid_path` ([errors](errors.md)).\n"
    )
    told = {(", ".join(sorted(route.methods or ())), route.path_format): _told_by(route) for route in served()}
    rows = []
    for methods, path in routes():
        who, what = told.get((methods, path)) or _ROUTE_NOTES[path]  # KeyError: a new route says who may call it
        rows.append((methods, f"`{path}`", who, what))
    yield from _table(("Method", "Path", "Who may call", "Answer"), rows)


def _told_by(route: Route) -> tuple[str, str] | None:
    """What routes say of themselves, if they do."""
    extra = getattr(route, "openapi_extra", None) or {}
    if "x-access" not in extra:
        return None
    who = Access[extra["x-access"].upper()].value
    if "{organization_id}" in route.path:
        who = who.partition(";")[0]
    return who, str(getattr(route, "description", "")).partition(" Who may call:")[0]


# Commands


def _commands() -> Iterator[str]:
    yield "# Commands\n"
    yield (
        "`tollway COMMAND --help` shows the same. Every listing takes `--json`. Exit codes: 0 done, 1 refused or failed"
        " (with one line on standard error that says why), 2 wrong usage.\n"
    )
    yield (
        "Commands read the same settings as the server and speak to the database directly, so they work whether it runs"
        " or not. `auth` (or `providers`) and `models` are for a developer's machine: they need neither, and have a"
        " configuration of their own ([guide](../guides/providers/README.md)).\n"
    )
    for words, command, usage in commands():
        yield f"{'#' * len(words)} `{' '.join(words)}`\n"
        yield f"{command.help}\n"
        if not getattr(command, "commands", None):
            yield f"```text\n{usage}\n```\n"
            yield from _options(command, words)


def commands() -> Iterator[tuple[tuple[str, ...], Any, str]]:
    """(words, command, usage line) of every command and group but the root, in the order of `--help`."""
    root: Any = typer.main.get_command(application())
    root.commands = {name: load(name) for name in COMMANDS}
    yield from _walk(root, "tollway", None, ())


def _walk(command: Any, name: str, parent: Any, before: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any, str]]:
    context = command.context_class(command, info_name=name, parent=parent)
    words = (*before, name)
    if before:
        yield words, command, command.get_usage(context).removeprefix("Usage: ")
    for inner_name, inner in getattr(command, "commands", {}).items():
        yield from _walk(inner, inner_name, context, words)


def _options(command: Any, words: tuple[str, ...]) -> Iterator[str]:
    context = command.context_class(command, info_name=words[-1])
    records = [record for option in command.get_params(context) if (record := option.get_help_record(context))]
    rows = [(f"`{_plain(name)}`", text) for name, text in records if name != "--help"]
    if rows:
        yield from _table(("Argument or option", "Meaning"), rows)
        yield ""


def _plain(name: str) -> str:
    """`USD <tollway.money.Microdollars>` → `USD`: Python's names mean nothing to whoever types the command."""
    return re.sub(r" <[\w.]*\.\w+>", "", name)


# Providers


def _providers() -> Iterator[str]:
    yield "# Providers\n"
    yield (
        "What is known about each kind of upstream. *Charges by*: what the gateway books, the cost that the upstream"
        " reports or tokens at the dated price. The last columns are about using it directly from a terminal"
        " ([guides](../guides/providers/README.md)); a dash: only gateways use it.\n"
    )
    yield from _table(
        (
            "Provider",
            "Id",
            "Dialect",
            "Charges by",
            "Key",
            "Prices in its list",
            "Abilities in its list",
            "List without a key",
            "Login by code",
        ),
        (_provider_row(record) for record in sorted(load_providers().values(), key=lambda one: one.name.casefold())),
    )


def _provider_row(record: Provider) -> tuple[str, ...]:
    charged = "reported cost" if record.reports_cost else "tokens"
    row = (record.name, f"`{record.id}`", record.dialect, charged)
    access = record.client
    if access is None:
        return (*row, *("-" for _ in range(5)))
    without_key = "always" if access.is_open else "when it is named" if access.has_public_list else "no"
    variables = ", ".join(f"`{name}`" for name in access.key_variables)
    listing = access.listing
    facts = (listing.quotes_prices, listing.reads_features)
    return (*row, variables, *map(_yes, facts), without_key, _yes(access.has_device_login))


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


# Links

_URL: Final = re.compile(r"https?://[^\s\"'`<>()\[\]{}|\\…]+")
_NOWHERE: Final = re.compile(r"https?://(?:127\.0\.0\.1|localhost|host|[\w.-]*example)\b")


def _links() -> Iterator[str]:
    yield "# Links\n"
    yield (
        "Every address in the code, for whoever checks that they still lead somewhere. Where *bases* stands, only paths"
        " below it exist.\n"
    )
    bases = {record.base_url for record in load_providers().values()}
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for url in _URL.findall(path.read_text()):
            if not _NOWHERE.match(url):
                found.setdefault(url.rstrip(".,;:"), set()).add(path.relative_to(ROOT).as_posix())
    rows = ((url, "bases" if url in bases else "", ", ".join(sorted(found[url]))) for url in sorted(found))
    yield from _table(("Address", "", "Where"), ((f"`{url}`", base, where) for url, base, where in rows))


def main() -> None:
    for name, text in pages().items():
        path = ROOT / name
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
            typer.echo(f"wrote {name}")


if __name__ == "__main__":
    main()
