"""Serving an ASGI application with uvicorn in this process."""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any, cast

import uvicorn

from chipledger_server.config import Limits, Listen
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.web.asgi import App
from chipledger_server.web.protocol import BoundedProtocol

BACKLOG = 2048
KEEP_ALIVE_S = 75
_GRACE_S = 20
_POLL_S = 0.01


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
    sock = socket.create_server((listen.address, listen.port), family=family, backlog=BACKLOG)
    port = sock.getsockname()[1]
    scheme = "http" if listen.tls_certificate_file is None else "https"
    host = f"[{listen.address}]" if family == socket.AF_INET6 else listen.address
    return sock, f"{scheme}://{host}:{port}"


class Service:
    """An application behind a listening socket, until it is told to stop."""

    def __init__(self, app: App, *, listen: Listen, limits: Limits) -> None:
        config = uvicorn.Config(
            app,
            http=cast("Any", partial(BoundedProtocol, head_s=limits.body_total_s)),
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            log_level="warning",  # else it forms a line for every connection and drops it
            access_log=False,
            server_header=False,
            date_header=True,  # RFC 9110 section 6.6.1; agents compare clocks by it
            proxy_headers=False,
            limit_concurrency=limits.connections,
            backlog=BACKLOG,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
            ssl_certfile=listen.tls_certificate_file,
            ssl_keyfile=listen.tls_key_file,
        )
        config.load()
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_3
            config.ssl.num_tickets = 0  # agents resume no session
        self._server = uvicorn.Server(config)

    async def serve(
        self, sock: socket.socket, stop: asyncio.Event, ready: Callable[[], None]
    ) -> None:
        """Serve until `stop` is set, calling `ready` once requests are accepted.

        Requests under way when it is set are finished.
        """
        # Not `Server.serve`: signals are ours.
        serving = asyncio.ensure_future(self._server._serve([sock]))  # noqa: SLF001
        while not self._server.started and not serving.done():  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(_POLL_S)
        if not serving.done():
            ready()
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        self._server.should_exit = True
        stopping.cancel()
        await serving
