"""Asks a gateway of our own kind which model it proposes. Source: catalog-and-clients B.7, D.4.4."""

from urllib.parse import quote

from tollway.client.gateways import Gateway
from tollway.client.model_choice import read_default
from tollway.upstream.client import HttpUpstreams
from tollway.upstream.question import ask


async def proposed_model(client: HttpUpstreams, gateway: Gateway) -> str:
    """Its id without the provider; empty when the gateway has no such thing, or does not answer."""
    if not gateway.access.lists_for_organizations or not gateway.base_url:
        return ""
    root = gateway.base_url.removesuffix(gateway.access.address_path)
    organization = quote(gateway.organization_id, safe="")
    path = f"/api/organizations/{organization}/defaults" if organization else "/api/defaults"
    return read_default(*await ask(client, gateway, root, "GET", path, gateway.key.text if gateway.key else ""))
