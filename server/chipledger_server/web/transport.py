"""A connection as uvicorn sees it, spared calls into the kernel that nobody needs.

uvicorn writes the head of an answer and its body one after the other: two calls, two packets and,
under TLS, two records. And it asks the socket for both ends of the connection, which the
transport knows already.
"""

import asyncio
from typing import Any

from typing_extensions import override


class JoiningTransport(asyncio.Transport):
    """A transport that sends two pieces as one, if they are written in one go.

    At most one piece is held back, and never beyond the turn of the event loop it was written in.
    """

    def __init__(self, below: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._below = below
        self._loop = loop
        self._held = b""

    @override
    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what the transport below knows; a name as address and port, and no socket.

        Without a socket uvicorn takes the names from here, where both have two fields.
        """
        if name == "socket":
            return default
        info = self._below.get_extra_info(name, default)
        return info[:2] if name in {"peername", "sockname"} and isinstance(info, tuple) else info

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send `data` together with the piece before it, or hold it for the piece after it."""
        if self._held:
            held, self._held = self._held, b""
            self._below.write(held + data)
        elif data:
            self._held = bytes(data)
            self._loop.call_soon(self._send)

    def _send(self) -> None:
        held, self._held = self._held, b""
        if held and not self._below.is_closing():  # the other end may have gone meanwhile
            self._below.write(held)

    @override
    def close(self) -> None:
        """Send what is held, then close."""
        self._send()
        self._below.close()

    @override
    def abort(self) -> None:
        """Close at once; what is held is lost."""
        self._held = b""
        self._below.abort()

    @override
    def is_closing(self) -> bool:
        """Return whether the connection is closing or closed."""
        return self._below.is_closing()

    @override
    def pause_reading(self) -> None:
        """Take nothing more for now."""
        self._below.pause_reading()

    @override
    def resume_reading(self) -> None:
        """Take again what comes."""
        self._below.resume_reading()
