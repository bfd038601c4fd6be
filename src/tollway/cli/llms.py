"""`tollway llms`: the operator's models that organizations are given. Keys are entered, never arguments."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict, replace
from typing import Annotated, Any

import typer

from tollway.admin import custom_llms
from tollway.admin.custom_llms import LlmDesk
from tollway.admin.llm_records import CustomLlm, LlmFields
from tollway.admin.records import Page
from tollway.admin.upstream_changes import Sealer
from tollway.cli import arguments
from tollway.cli.database import Administration, administer
from tollway.cli.entered_key import KeyFile, read_key
from tollway.cli.master_keys import keys_that_seal
from tollway.cli.output import write_json, write_record, write_table
from tollway.errors import Problem
from tollway.ids import random_bytes
from tollway.settings import load
from tollway.storage.presets import load_preset

app = typer.Typer(help="Models of the operator for organizations.", no_args_is_help=True)
_COLUMNS = ("public_id", "vendor", "internal_id", "base_url", "last_four", "organizations")
_NONE = "none"  # as the text of an option: not said

Named = Annotated[str, typer.Argument(help="Id that callers ask for.", metavar="LLM")]
Organization = Annotated[str, typer.Argument(help="Id or name of the organization.", metavar="ORGANIZATION")]
Name = Annotated[str | None, typer.Option("--name", help="What people call it.")]
Vendor = Annotated[str | None, typer.Option("--vendor", help="Whose API it speaks: anthropic or openai.")]
Url = Annotated[str | None, typer.Option("--url", help="Base URL, up to and without /messages or /responses.")]
Model = Annotated[str | None, typer.Option("--model", help="What its vendor calls it.")]
Context = Annotated[int | None, typer.Option("--context-length", help="Context window in tokens.")]
Completion = Annotated[int | None, typer.Option("--completion-tokens", help="Longest answer; 0: as the vendor has it.")]
Verbosity = Annotated[str | None, typer.Option(help="low, medium, high, max, or none.")]
Effort = Annotated[
    str | None, typer.Option("--reasoning-effort", help="minimal, low, medium, high, xhigh, none; or unset.")
]
Included = Annotated[str | None, typer.Option("--included-tools", help="Tools for its clients, by commas, or none.")]
Excluded = Annotated[str | None, typer.Option("--excluded-tools", help="Tools its clients leave out, by commas.")]
Images = Annotated[bool | None, typer.Option("--images/--no-images", help="It reads images.")]
Reasoning = Annotated[bool | None, typer.Option("--reasoning/--no-reasoning", help="It reasons, whatever its name.")]


@app.command("list")
def list_(limit: arguments.Limit = 100, before: arguments.Before = None, as_json: arguments.AsJson = False) -> None:
    """List them, newest first, without their keys."""

    async def work(admin: Administration) -> tuple[CustomLlm, ...] | Problem:
        return await custom_llms.list_llms(admin.store, Page(limit, before))

    found = [_fields(one) for one in administer(work)]
    if as_json:
        write_json(found)
    else:
        write_table([_Row(one) for one in found], _COLUMNS, "There are no custom LLMs.")


@app.command()
def add(
    public_id: Annotated[str, typer.Argument(help="Id that callers ask for.", metavar="ID")],
    vendor: Annotated[str, typer.Option("--vendor", help="Whose API it speaks: anthropic or openai.")],
    url: Annotated[str, typer.Option("--url", help="Base URL, up to and without /messages or /responses.")],
    model: Annotated[str, typer.Option("--model", help="What its vendor calls it.")],
    name: Name = None,
    context_length: Context = None,
    completion_tokens: Completion = None,
    verbosity: Verbosity = None,
    reasoning_effort: Effort = None,
    included_tools: Included = None,
    excluded_tools: Excluded = None,
    images: Images = None,
    reasoning: Reasoning = None,
    key_file: KeyFile = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Add a model. Nobody has it until it is assigned. Its key is asked for, or read from standard input."""
    more = _given(
        None, None, None, None, context_length, completion_tokens, verbosity, reasoning_effort, included_tools,
        excluded_tools, images, reasoning,
    )  # fmt: skip
    fields = replace(LlmFields(name or public_id, vendor, url, model), **more)
    key = read_key(key_file)
    _change(as_json, lambda desk: custom_llms.add_llm(desk, public_id, fields, key))


@app.command("set")
def set_(
    llm: Named,
    name: Name = None,
    vendor: Vendor = None,
    url: Url = None,
    model: Model = None,
    context_length: Context = None,
    completion_tokens: Completion = None,
    verbosity: Verbosity = None,
    reasoning_effort: Effort = None,
    included_tools: Included = None,
    excluded_tools: Excluded = None,
    images: Images = None,
    reasoning: Reasoning = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Ask for another key.")] = False,
    key_file: KeyFile = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Change a model; what is not named stays."""
    given = _given(
        name, vendor, url, model, context_length, completion_tokens, verbosity, reasoning_effort, included_tools,
        excluded_tools, images, reasoning,
    )  # fmt: skip
    key = read_key(key_file) if new_key or key_file else None
    _change(as_json, lambda desk: custom_llms.change_llm(desk, llm, lambda fields: replace(fields, **given), key))


@app.command()
def copy(
    llm: Named,
    public_id: Annotated[str, typer.Argument(help="Id of the copy.", metavar="ID")],
    name: Name = None,
    as_json: arguments.AsJson = False,
) -> None:
    """Add another model with the same address and key. Nobody has it until it is assigned."""
    _change(as_json, lambda desk: custom_llms.copy_llm(desk, llm, public_id, name))


@app.command()
def remove(llm: Named, as_json: arguments.AsJson = False) -> None:
    """Delete a model for good; its organizations lose it at once."""
    _change(as_json, lambda desk: custom_llms.remove_llm(desk, llm))


@app.command()
def assign(llm: Named, organization: Organization, as_json: arguments.AsJson = False) -> None:
    """Give a model to an organization: its members call it without charge, whatever its lists and balance say."""
    _change(as_json, lambda desk: custom_llms.assign_llm(desk, llm, organization))


@app.command()
def unassign(llm: Named, organization: Organization, as_json: arguments.AsJson = False) -> None:
    """Take a model back from an organization."""
    _change(as_json, lambda desk: custom_llms.assign_llm(desk, llm, organization, assigned=False))


def _given(
    name: str | None, vendor: str | None, url: str | None, model: str | None, context_length: int | None,
    completion_tokens: int | None, verbosity: str | None, reasoning_effort: str | None, included_tools: str | None,
    excluded_tools: str | None, images: bool | None, reasoning: bool | None,
) -> dict[str, Any]:  # fmt: skip
    """The fields that were named."""
    given: dict[str, Any] = {
        "display_name": name,
        "vendor": vendor,
        "base_url": url,
        "internal_id": model,
        "context_length": context_length,
        "completion_tokens_max": completion_tokens,
        "supports_image_input": images,
        "force_reasoning": reasoning,
    }
    given = {field: value for field, value in given.items() if value is not None}
    if verbosity is not None:
        given["verbosity"] = None if verbosity == _NONE else verbosity
    if reasoning_effort is not None:
        given["reasoning_effort"] = None if reasoning_effort == "unset" else reasoning_effort
    if included_tools is not None:
        given["included_tools"] = arguments.read_list(included_tools) or None
    if excluded_tools is not None:
        given["excluded_tools"] = arguments.read_list(excluded_tools) or None
    return given


def _change(as_json: bool, change: Callable[[LlmDesk], Awaitable[CustomLlm | Problem]]) -> None:
    async def work(admin: Administration) -> CustomLlm | Problem:
        settings = load()
        keys = await keys_that_seal(settings, admin.database, admin.now)
        prefix = load_preset(settings.preset).custom_llm_prefix
        return await change(LlmDesk(admin.store, prefix, Sealer(keys, random_bytes), admin.now))

    fields = _fields(administer(work))
    if as_json:
        write_json(fields)
    else:
        write_record(fields)


def _fields(llm: CustomLlm) -> dict[str, Any]:
    return {
        "public_id": llm.public_id,
        **asdict(llm.fields),
        "last_four": llm.last_four,
        "organizations": llm.organizations,
        "created_at": llm.created_at,
        "updated_at": llm.updated_at,
    }


class _Row:
    """Fields as attributes, for a table."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self.__dict__.update(fields)
