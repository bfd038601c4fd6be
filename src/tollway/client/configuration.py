"""The client's configuration: layers of JSON laid over one another, and what they say once that is done.

A project's file may come from a stranger's repository. Where it names a gateway's address, nothing secret that it does
not spell out itself goes there: neither stored keys, nor the environment's, nor those of the user's own files.
Source: catalog-and-clients D.1.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import Any, Final

from msgspec import Struct, ValidationError, convert, field
from msgspec.structs import replace

from tollway.client.errors import ClientError

_REFERENCE: Final = re.compile(r"\{(env|file):([^{}]*)\}")
_SECRETS: Final = ("apiKey", "headers")
ReadFile = Callable[[str, str], str]  # (path as written, name of the layer) → text; raises ClientError


class Rank(IntEnum):
    """Later wins."""

    GLOBAL = 0
    PROJECT = 1
    INLINE = 2


class Layer(Struct, frozen=True):
    """One file or variable as it was read; `name` is shown in errors."""

    rank: Rank
    name: str
    tree: Mapping[str, Any]


class Options(Struct, frozen=True):
    """How a gateway is reached. `timeout` is milliseconds, or false for none."""

    api_key: str = field(name="apiKey", default="")
    base_url: str = field(name="baseURL", default="")
    headers: dict[str, str] = {}
    timeout: int | bool | None = None

    def __repr__(self) -> str:
        return "Options(…)"


class ProviderConfig(Struct, frozen=True):
    """`provider.<id>`. `env` renames the variables that are looked at; None: those of the gateway's record.

    `is_address_foreign`: a project's file says where it is, so nothing secret is sent there unasked.
    """

    name: str = ""
    npm: str = ""
    dialect: str = ""
    env: tuple[str, ...] | None = None
    options: Options = field(default_factory=Options)
    models: dict[str, dict[str, Any]] = {}
    is_address_foreign: bool = False


class AgentConfig(Struct, frozen=True):
    """`agent.<name>`: a model (`provider/model`) and what it is told before anything else."""

    model: str = ""
    prompt: str = ""


class CommandConfig(Struct, frozen=True):
    """`command.<name>`: a message with `$ARGUMENTS` where the words of the command line go."""

    template: str
    agent: str = ""
    model: str = ""


class ClientConfig(Struct, frozen=True):
    """What the commands read of it; other keys are other programs' business. `enabled_providers` None: all are."""

    model: str = ""
    small_model: str = ""
    agent: dict[str, AgentConfig] = {}
    command: dict[str, CommandConfig] = {}
    provider: dict[str, ProviderConfig] = {}
    enabled_providers: tuple[str, ...] | None = None
    disabled_providers: tuple[str, ...] = ()

    def is_enabled(self, provider_id: str) -> bool:
        """Source: C.4.1."""
        is_named = self.enabled_providers is None or provider_id in self.enabled_providers
        return is_named and provider_id not in self.disabled_providers


def read_config(layers: Sequence[Layer], environ: Mapping[str, str], read_file: ReadFile) -> ClientConfig:
    """The layers joined, the lowest rank first. Raises ClientError naming the layer or the key that is wrong."""
    joined: dict[str, Any] = {}
    foreign: set[str] = set()
    for layer in sorted(layers, key=lambda one: one.rank):
        addressed = _addressed(layer)
        if layer.rank is Rank.PROJECT:
            foreign |= addressed
            for provider_id in addressed:
                _forget_secrets(joined, provider_id)
                _check_spelled_out(layer, provider_id)
        else:
            foreign -= addressed
        joined = _laid_over(joined, _substituted(layer.tree, layer.name, environ, read_file))
    try:
        config = convert(joined, ClientConfig)
    except ValidationError as error:
        raise ClientError(f"configuration: {error}".replace("$.", "")) from None
    marked = {name: replace(one, is_address_foreign=name in foreign) for name, one in config.provider.items()}
    return replace(config, provider=marked)


def _addressed(layer: Layer) -> set[str]:
    """The providers whose address this layer names."""
    return {
        name
        for name, one in _object(layer.tree, "provider").items()
        if "baseURL" in _object({"p": one}, "p", "options")
    }


def _object(tree: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    value: Any = tree
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value if isinstance(value, Mapping) else {}


def _forget_secrets(joined: Mapping[str, Any], provider_id: str) -> None:
    options = _object(joined, "provider", provider_id, "options")
    for name in _SECRETS:
        if isinstance(options, dict):
            options.pop(name, None)


def _check_spelled_out(layer: Layer, provider_id: str) -> None:
    if _mentions(_object(layer.tree, "provider", provider_id)):
        raise ClientError(
            f"{layer.name}: provider.{provider_id}: a project's file that names an address may not take"
            " {env:…} or {file:…} there; put them into your own configuration"
        )


def _mentions(value: object) -> bool:
    if isinstance(value, str):
        return _REFERENCE.search(value) is not None
    if isinstance(value, Mapping):
        return any(map(_mentions, value.values()))
    return isinstance(value, list) and any(map(_mentions, value))


def _laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Objects field by field; lists and everything else are replaced."""
    joined = dict(below)
    for name, value in above.items():
        under = joined.get(name)
        joined[name] = _laid_over(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return joined


def _substituted(value: Any, name: str, environ: Mapping[str, str], read_file: ReadFile) -> Any:
    """`{env:NAME}` and `{file:path}` inside strings; an unset variable is empty."""
    if isinstance(value, str):
        return _REFERENCE.sub(
            lambda found: environ.get(found[2], "") if found[1] == "env" else read_file(found[2], name).strip(), value
        )
    if isinstance(value, Mapping):
        return {key: _substituted(inner, name, environ, read_file) for key, inner in value.items()}
    if isinstance(value, list):
        return [_substituted(inner, name, environ, read_file) for inner in value]
    return value
