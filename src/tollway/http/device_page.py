"""The page on which a person approves the login of a device: the address that the device shows leads here.

It is a file that never changes. Who asks is shown, as text, before anything can be approved. Code and key stay in the
browser, which hands them to the routes that programs use; no other script runs on it, and nobody may put it into a
frame. Source: catalog-and-clients B.12.
"""

import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from typing import Final

from fastapi import FastAPI, Request, Response

from tollway.http.management.call import Access

PATH: Final = "/device-auth"


def add_device_page(api: FastAPI) -> None:
    page = (files("tollway.http") / "device_page.html").read_bytes()
    headers = {
        "content-security-policy": "; ".join(_policy(page)),
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
    }

    async def show_device_page(_: Request) -> Response:
        return Response(page, media_type="text/html", headers=headers)

    api.add_api_route(
        PATH,
        show_device_page,
        methods=["GET"],
        description="A page to approve the code of a device on.",
        openapi_extra={"x-access": Access.ANYONE.name.lower()},
    )


def _policy(page: bytes) -> Iterator[str]:
    """Only what stands in the page itself, by its hash."""
    yield "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    for kind in ("script", "style"):
        texts = re.findall(rf"<{kind}>(.*?)</{kind}>".encode(), page, re.DOTALL)
        hashes = " ".join(f"'sha256-{b64encode(sha256(text).digest()).decode()}'" for text in texts)
        yield f"{kind}-src {hashes}"
