"""Which model `tollway run` asks: the one that is named, else the one that is picked, else the first there is."""

import asyncio
import shutil
from collections.abc import Sequence
from typing import Final

from tollway.cli.client_session import Session, model_lists, tell
from tollway.cli.typed_line import typed_line
from tollway.client.errors import ClientError
from tollway.client.gateways import Gateway, find_gateway
from tollway.client.model_choice import (
    Choice,
    choice_lines,
    choices_of,
    chosen,
    matching,
    read_reference,
    unknown_model,
)
from tollway.client.model_lists import ModelLists, State
from tollway.client.terminal_text import for_terminal
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.default_model import proposed_model
from tollway.upstream.model_list import ListAsker

_ASKED: Final = "Model (number, or part of a name): "


async def choose_model(session: Session, client: HttpUpstreams, named: str, *, may_ask: bool) -> Choice:
    """named: `provider/model`, or empty; may_ask: there is a person at a terminal. Raises ClientError."""
    lists = model_lists(session, ListAsker(client))
    if named:
        return await _named(session, lists, named)
    listed = await asyncio.gather(*map(lists.of, session.gateways.values()))
    choices = choices_of(listed)
    why = [one.notice for one in listed if one.notice and one.state is not State.NOT_CONNECTED]
    if not choices:
        raise ClientError("\n".join(why) or "No provider is connected. Enter a key: tollway auth login")
    for notice in why:
        tell(notice)
    return await _pick(choices) if may_ask else await _default(session, client, choices)


async def _named(session: Session, lists: ModelLists, named: str) -> Choice:
    reference = read_reference(named)
    gateway = find_gateway(session.gateways, reference.provider_id)
    if gateway is None:
        is_disabled = reference.provider_id in session.all_gateways
        why = "is disabled in the configuration" if is_disabled else "is not a provider that is known here"
        raise ClientError(f"{named}: {reference.provider_id} {why}")
    listed = await lists.of(gateway, is_named=_may_be_called(gateway))
    model = listed.models.get(reference.model_id)
    if model is None and not listed.models:
        raise ClientError(listed.notice)
    if listed.notice:
        tell(listed.notice)
    if model is None:
        raise unknown_model(reference, listed.models)
    return Choice(gateway, model)


def _may_be_called(gateway: Gateway) -> bool:
    """A gateway whose record names no key, as one in this house, may do without."""
    return gateway.key is not None or gateway.access.is_open or not gateway.access.key_variables


async def _default(session: Session, client: HttpUpstreams, choices: Sequence[Choice]) -> Choice:
    """What a gateway proposes, else the first model of the first that is connected."""
    for gateway in session.gateways.values():
        ours = [one for one in choices if one.gateway.id == gateway.id]
        proposed = await proposed_model(client, gateway) if ours else ""
        for one in ours:
            if one.model.id == proposed:
                return one
    return choices[0]


async def _pick(choices: Sequence[Choice]) -> Choice:
    """Asks until there is one; what is typed narrows the list down. Raises ClientError when nothing more comes."""
    shown = choices
    while True:
        for line in choice_lines(shown, shutil.get_terminal_size().columns):
            tell(line)
        typed = await typed_line(_ASKED)
        if not typed:
            tell("")
            raise ClientError("no model was chosen")
        search = typed.strip()
        found = chosen(shown, search)
        if found:
            return found
        narrowed = matching(choices, search)
        if not narrowed:
            tell(f"no model is called anything like {for_terminal(search)!r}")
        shown = narrowed or choices
