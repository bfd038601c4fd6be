"""Logs in at a Tollway by a code that is approved in a browser. Source: catalog-and-clients B.12, D.3."""

import asyncio
import sys
import webbrowser
from collections.abc import Mapping, Sequence
from typing import Final

import typer

from tollway.cli.client_session import give_up, tell
from tollway.cli.provider_picker import pick_one
from tollway.client.credentials import OauthCredential
from tollway.client.device_login import (
    POLL_S,
    DeviceCode,
    Membership,
    Polled,
    Verdict,
    login_credential,
    read_memberships,
)
from tollway.client.errors import ClientError
from tollway.client.gateways import Gateway, is_address, is_private_connection
from tollway.clock import monotonic, unix_milliseconds

_REFUSALS: Final[Mapping[Verdict, str]] = {
    Verdict.DENIED: "the login was denied",
    Verdict.EXPIRED: "the code was not approved in time; log in again",
}


def log_in_by_code(gateway: Gateway, root: str, organization: str, *, opens_browser: bool) -> OauthCredential:
    """What to store. root: from `root_of`. organization: id or name, empty: ask where there is somebody to ask, else
    the user's own account. Ends the command when it does not come about."""
    try:
        polled, memberships = asyncio.run(_talk(gateway, root, opens_browser=opens_browser))
    except ClientError as error:
        give_up(str(error))
    if polled.verdict is not Verdict.APPROVED:
        give_up(_REFUSALS[polled.verdict])
    if polled.email:
        typer.echo(f"Logged in as {polled.email}.")
    chosen = _organization(memberships, organization)
    return login_credential(polled.token, chosen, root, unix_milliseconds())


def root_of(gateway: Gateway, url: str) -> str:
    """The address without a path: `url`, or where the configuration says. Ends the command when nobody says."""
    root = (url or gateway.base_url).strip().rstrip("/").removesuffix(gateway.access.address_path)
    if not root:
        give_up(f"where is it? tollway auth login https://… -p {gateway.id}, or set {gateway.access.address_variable}")
    if not is_address(root):
        give_up("the address must be http(s)://host[:port]")
    if not is_private_connection(root):
        tell(f"{root} is not encrypted: whoever is on the way can read the token")
    return root


async def _talk(gateway: Gateway, root: str, *, opens_browser: bool) -> tuple[Polled, tuple[Membership, ...]]:
    from tollway.upstream.device_login import DeviceLogin  # lazy: half a second that only this way of logging in costs
    from tollway.upstream.model_list import open_client  # lazy: as above

    with open_client() as client:
        login = DeviceLogin(client, gateway, root)
        code = await login.begin()
        _show(code, opens_browser=opens_browser)
        polled = await login.wait(code, POLL_S, asyncio.sleep, monotonic)
        answered = await login.profile(polled.token) if polled.verdict is Verdict.APPROVED else (0, b"")
        return polled, read_memberships(*answered)


def _show(code: DeviceCode, *, opens_browser: bool) -> None:
    typer.echo(f"Open {code.url}\nand approve the code {code.code} within {code.expires_in_s // 60} minutes.")
    sys.stdout.flush()
    if opens_browser and sys.stdout.isatty():
        webbrowser.open(code.url)


def _organization(memberships: Sequence[Membership], wanted: str) -> str:
    """The id of the organization to act for; empty: the user."""
    if wanted:
        found = next((one for one in memberships if wanted in {one.id, one.name}), None)
        return found.id if found else give_up(f"you are no member of an organization {wanted!r}")
    if not memberships or not sys.stdin.isatty():
        return ""
    place = pick_one("account", ["your own", *(f"{one.name}  {one.role}".rstrip() for one in memberships)])
    return memberships[place - 1].id if place else ""
