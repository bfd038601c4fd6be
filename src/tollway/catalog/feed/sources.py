"""Where the catalog is read from: paths of each source, and what fetches them. Source: catalog-and-clients A.1."""

from typing import Final, Protocol
from urllib.parse import quote

OPENROUTER: Final = "openrouter"
VERCEL: Final = "vercel"
SITE: Final = "site"  # what OpenRouter's own pages read
PUBLIC: Final = "public"  # OpenRouter's list for everybody

MODELS: Final = "/models"
DIRECTORY: Final = "/all-providers"
PUBLIC_PROVIDERS: Final = "/providers"
RETRIES_MAX: Final = 2
_LEGAL: Final = "/:@!$&'()*+,;=~-._"  # in a path, besides letters and digits


class Sources(Protocol):
    """`gateways`: which of OPENROUTER and VERCEL have a key; the other one is never asked."""

    @property
    def gateways(self) -> frozenset[str]: ...

    async def get(self, where: str, path: str, retries: int = RETRIES_MAX) -> bytes | None:
        """The body of an answer 200; None for 404. Raises FeedError."""
        ...


def endpoints_path(model_id: str) -> str | None:
    """Of the endpoints of a model. None: its id would lead somewhere else, so it is not asked for."""
    if any(segment in ("", ".", "..") for segment in model_id.split("/")):
        return None
    if not all("!" <= character <= "~" and character not in "?#" for character in model_id):
        return None
    return f"{MODELS}/{quote(model_id, safe=_LEGAL)}/endpoints"


def cards_path(provider_name: str) -> str:
    """Of the models of one inference provider."""
    return f"{MODELS}/find?providers={quote(provider_name, safe='')}&fmt=cards"
