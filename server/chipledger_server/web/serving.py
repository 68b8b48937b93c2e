"""Serving an ASGI application with uvicorn in this process."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from importlib.util import find_spec

import uvicorn

from chipledger_server.config import Limits, Listen
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.web.asgi import App

_GRACE_S = 20


def check_parts() -> None:
    """Return only if the fast parts are installed; without them a report costs four times more.

    Raises:
        ServerError: `missing-part`.
    """
    for part in ("uvloop", "httptools"):
        if find_spec(part) is None:
            raise ServerError(
                Code.MISSING_PART,
                f"{part} is not installed",
                hint="install chipledger with its extra: chipledger[server]",
            )


def check_listen(listen: Listen) -> None:
    """Return only if plain HTTP stays on this machine.

    Raises:
        ServerError: `plain-http-refused`.
    """
    if listen.tls_certificate_file is not None or listen.address == "localhost":
        return
    try:
        loopback = ipaddress.ip_address(listen.address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ServerError(
            Code.PLAIN_HTTP_REFUSED,
            f"no TLS certificate is configured, and {listen.address} is not loopback",
            hint="set listen.tls_certificate_file and listen.tls_key_file",
        )


def bind(listen: Listen) -> tuple[socket.socket, str]:
    """Return a listening socket and the URL it is reached at."""
    family = socket.AF_INET6 if ":" in listen.address else socket.AF_INET
    sock = socket.create_server((listen.address, listen.port), family=family, backlog=2048)
    port = sock.getsockname()[1]
    scheme = "http" if listen.tls_certificate_file is None else "https"
    host = f"[{listen.address}]" if family == socket.AF_INET6 else listen.address
    return sock, f"{scheme}://{host}:{port}"


class Service(uvicorn.Server):
    """uvicorn, told by us when to stop, and telling us when it accepts."""

    def __init__(
        self, app: App, *, listen: Listen, limits: Limits, ready: Callable[[], None]
    ) -> None:
        config = uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=limits.connections,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=listen.tls_certificate_file,
            ssl_keyfile=listen.tls_key_file,
        )
        config.load()
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def serve_on(self, sock: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; requests under way are finished."""
        serving = asyncio.ensure_future(self._serve([sock]))
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self.should_exit = True
        stopping.cancel()
        await serving
