"""This process among others: the lock on its database, its supervisor, its log lines."""

import fcntl
import logging
import os
import socket
import sys
from pathlib import Path

import structlog

from chipledger_server.domain.codes import Code, ServerError


def lock_database(path: Path) -> int:
    """Hold the one writer's lock of an embedded database until this process ends.

    Raises:
        ServerError: `database-in-use`.
    """
    descriptor = os.open(path.with_name(f"{path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ServerError(
            Code.DATABASE_IN_USE,
            f"another collector serves {path}",
            hint="an embedded database has one collector; stop the other one first",
        ) from None
    return descriptor


def notify_supervisor(address: str | None, state: str) -> None:
    """Tell systemd `state` (sd_notify protocol); does nothing without a supervisor."""
    if not address:
        return
    name = "\0" + address[1:] if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        sock.sendto(state.encode(), name)


def log_as_json() -> None:
    """Write log lines as JSON objects to standard error, one a line."""
    shared: list[structlog.typing.Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    render = structlog.processors.JSONRenderer(sort_keys=True)
    lines = logging.StreamHandler(sys.stderr)  # what libraries log, in the same form as ours
    lines.setFormatter(
        structlog.stdlib.ProcessorFormatter(processor=render, foreign_pre_chain=shared)
    )
    logging.basicConfig(level=logging.WARNING, handlers=[lines])
    structlog.configure(
        processors=[*shared, render],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
