"""The ASGI side of one connection: each request's scope, and uvicorn's cycle that runs the application."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle
from uvicorn.protocols.utils import get_local_addr, get_remote_addr
from uvicorn.server import ServerState

from tollway.http.reader import RequestReader

_LOG: Final = logging.getLogger("uvicorn.error")


class AsgiSide:
    """Runs the application for one request after another; a body has come whole before its request begins."""

    def __init__(
        self, config: Config, state: ServerState, transport: asyncio.Transport, on_response: Callable[[], None]
    ) -> None:
        """`on_response()` is called when an answer is complete."""
        self._app = config.loaded_app
        self._state = state
        self._transport = transport
        self._flow = FlowControl(transport)
        self._on_response = on_response
        self._cycle: RequestResponseCycle | None = None

    def begin(self, request: RequestReader, keep_alive: bool) -> None:
        """Start the application's task."""
        cycle = RequestResponseCycle(
            scope=cast("Any", _scope(self._transport, request)),
            transport=self._transport,
            flow=self._flow,
            logger=_LOG,
            access_logger=_LOG,
            access_log=False,
            default_headers=self._state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=keep_alive,
            on_response=self._on_response,
        )
        cycle.body += request.take_body()
        cycle.more_body = False
        cycle.message_event.set()
        self._cycle = cycle
        task = asyncio.get_running_loop().create_task(cycle.run_asgi(self._app))
        self._state.tasks.add(task)  # the loop alone does not keep it
        task.add_done_callback(self._state.tasks.discard)

    def close_after(self) -> None:
        """The present answer is the connection's last."""
        if self._cycle:
            self._cycle.keep_alive = False

    def lost(self) -> None:
        """The connection is gone."""
        if self._cycle and not self._cycle.response_complete:
            self._cycle.disconnected = True
            self._cycle.message_event.set()
        self._flow.resume_writing()

    def pause_writing(self) -> None:
        self._flow.pause_writing()

    def resume_writing(self) -> None:
        self._flow.resume_writing()


def _scope(transport: asyncio.Transport, request: RequestReader) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1" if request.speaks_1_1 else "1.0",
        "server": get_local_addr(transport),
        "client": get_remote_addr(transport),
        "scheme": "http",
        "method": request.method,
        "root_path": "",
        "path": request.path.decode(),
        "raw_path": request.url.partition(b"?")[0],
        "query_string": request.query[1:],
        "headers": list(request.fields.items()),
        "state": {},
    }
