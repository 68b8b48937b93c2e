"""One HTTP connection, bounded where uvicorn waits and collects for ever: before a request is read.

A stranger who opens connections and says nothing, or sends header after header, would otherwise
hold them all and the memory with them. So a request's head has a time and a size, from the moment
the connection is made, or from its first byte on a connection that is kept alive.
"""

import asyncio
from typing import Any, Final

from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chipledger_server.web.transport import JoiningTransport

MOST_HEAD_BYTES: Final = 64 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's protocol that gives up a request whose head is slow or very large."""

    def __init__(self, *args: Any, head_s: int, **kwargs: Any) -> None:  # noqa: ANN401 - uvicorn's
        super().__init__(*args, **kwargs)
        self._head_s = head_s
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(JoiningTransport(transport, self.loop))
        self._await_head()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._end_wait()
        super().connection_lost(exc)

    @override
    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a head, unless that has begun with the connection."""
        super().on_message_begin()
        self._in_head = True
        if self._head_timer is None:
            self._await_head()

    @override
    def on_headers_complete(self) -> None:
        """Serve the request; from here on its reader counts bytes and time."""
        self._in_head = False
        self._head_bytes = 0
        self._end_wait()
        super().on_headers_complete()

    @override
    def data_received(self, data: bytes) -> None:
        """Take what came, as long as no head grows beyond its bound."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MOST_HEAD_BYTES:
                self._give_up()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(self._head_s, self._give_up)

    def _end_wait(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        self.transport.abort()
