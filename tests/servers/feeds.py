"""Stand-ins for the catalog's sources: what each of them says is plain data, which a test changes as it likes."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tollway.catalog.feed.reading import FeedError
from tollway.catalog.feed.sources import OPENROUTER, PUBLIC, RETRIES_MAX, SITE, VERCEL

Said = tuple[int, bytes]

FOLDERS = {"/openrouter/api/v1": OPENROUTER, "/vercel/v1": VERCEL, "/site": SITE, "/public": PUBLIC}


def model(id_: str, prompt: str = "0.000002", completion: str = "0.000008", **more: Any) -> dict[str, Any]:
    """An entry of the default gateway's list, with fields that nobody reads."""
    return {
        "id": id_,
        "canonical_slug": id_,
        "name": f"Model {id_}",
        "description": f"About {id_}",
        "created": 1_700_000_000,
        "context_length": 128_000,
        "architecture": {
            "modality": "text->text",
            "input_modalities": ["text"],
            "output_modalities": ["text"],
            "tokenizer": "Other",
        },
        "top_provider": {"is_moderated": False, "context_length": 128_000, "max_completion_tokens": 16_384},
        "pricing": {"prompt": prompt, "completion": completion, "request": "0", "image": "0"},
        "per_request_limits": None,
        "supported_parameters": ["max_tokens", "tools"],
        **more,
    }


def provider(slug: str, **more: Any) -> dict[str, Any]:
    return {
        "name": slug.title(),
        "displayName": slug.title(),
        "slug": slug,
        "dataPolicy": {"training": False, "retainsPrompts": False, "canPublish": False},
        "headquarters": "US",
        **more,
    }


def card(slug: str, name: str = "") -> dict[str, Any]:
    return {
        "slug": slug,
        "hf_slug": "",
        "name": name or f"Model {slug}",
        "author": slug.partition("/")[0],
        "description": "…",
        "context_length": 128_000,
        "input_modalities": ["text"],
        "output_modalities": ["text"],
        "group": "Other",
        "updated_at": "2026-01-01T00:00:00+00:00",
        "permaslug": slug,
        "endpoint": {
            "provider_display_name": "P",
            "is_free": False,
            "pricing": {"prompt": "0.000002", "completion": "0.000008"},
        },
    }


def endpoint(tag: str) -> dict[str, Any]:
    return {
        "name": tag,
        "provider_name": tag,
        "tag": tag,
        "context_length": 128_000,
        "pricing": {"prompt": "0.000002", "completion": "0.000008", "discount": 0},
        "status": 0,
    }


class Feeds:
    """`models`, `vercel`, `providers`, `public`: what is listed. `cards` by a provider's name, `tags` of the endpoints
    of a model. `says` overrides the answer of a path of a source; `asked` is every request, as (source, path)."""

    def __init__(self, providers: int = 12, models: int = 120, vercel: int = 120) -> None:
        self.models = [model(f"vendor{n % 9}/model-{n}") for n in range(models)]
        self.vercel = [{"id": f"vendor/model-{n}", "name": f"Model {n}", "type": "language"} for n in range(vercel)]
        self.providers = [provider(f"provider-{n}") for n in range(providers)]
        self.cards = {one["name"]: [card(f"vendor/{one['slug']}-{n}") for n in range(10)] for one in self.providers}
        self.public = [{"name": f"P{n}", "slug": f"p{n}", "privacy_policy_url": None} for n in range(12)]
        self.tags: dict[str, list[str]] = {}
        self.says: dict[tuple[str, str], Callable[[], Said] | Said] = {}
        self.asked: list[tuple[str, str]] = []

    def answer(self, where: str, path: str) -> Said:
        """Status and body."""
        self.asked.append((where, path))
        said = self.says.get((where, path))
        if said is not None:
            return said() if callable(said) else said
        found = self._found(where, path)
        return (404, b"{}") if found is None else (200, json.dumps(found).encode())

    def _found(self, where: str, path: str) -> Any:
        target = urlsplit(path)
        if target.path.startswith("/models/") and target.path.endswith("/endpoints"):
            id_ = unquote(target.path.removeprefix("/models/").removesuffix("/endpoints"))
            listed = self.models if where == OPENROUTER else self.vercel
            if not any(one.get("id") == id_ for one in listed):
                return None
            return {"data": {"id": id_, "endpoints": [endpoint(tag) for tag in self.tags.get(id_, ["host"])]}}
        match where, target.path:
            case "openrouter", "/models":
                return {"data": self.models}
            case "vercel", "/models":
                return {"data": self.vercel}
            case "site", "/all-providers":
                return {"data": self.providers}
            case "site", "/models/find":
                return {"data": {"models": self.cards.get(parse_qs(target.query)["providers"][0], [])}}
            case "public", "/providers":
                return {"data": self.public}
        return None


class FakeSources:
    """Implements Sources over `feeds`, without a network; whatever is not well fails at once."""

    def __init__(self, feeds: Feeds, *gateways: str) -> None:
        self.feeds = feeds
        self.gateways = frozenset(gateways or (OPENROUTER, VERCEL))

    async def get(self, where: str, path: str, retries: int = RETRIES_MAX) -> bytes | None:
        for attempt in range(retries + 1):
            status, body = self.feeds.answer(where, path)
            if status == 200:
                return body
            if status == 404:
                return None
            if attempt == retries:
                raise FeedError(f"{where} {path}: status {status}")
        raise AssertionError


class FeedServer:
    """The same over HTTP: each source has a folder of its own. Everything else is a chat completion of 1 + 1 tokens."""

    def __init__(self, feeds: Feeds) -> None:
        self.feeds = feeds
        self.headers: list[dict[str, str]] = []
        served = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                served.headers.append({name.lower(): value for name, value in self.headers.items()})
                for folder, where in FOLDERS.items():
                    if self.path.startswith(folder):
                        self._answer(*feeds.answer(where, self.path.removeprefix(folder)))
                        return
                self._answer(404, b"{}")

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                completion = {
                    "id": "gen-1",
                    "object": "chat.completion",
                    "created": 1,
                    "model": "m",
                    "choices": [
                        {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
                    ],
                    "usage": {"prompt_tokens": 1_000, "completion_tokens": 1_000, "total_tokens": 2_000},
                }
                self._answer(200, json.dumps(completion).encode())

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  (its name in http.server)
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
