"""Messages to the service manager (sd_notify(3)), in a few lines of plain Python."""

import contextlib
import socket


class SystemdNotifier:
    """Sends to ``NOTIFY_SOCKET``; every call is harmless when nobody listens.

    Args:
        address: path of the socket, ``@`` first for an abstract one.
    """

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address

    def ready(self) -> None:
        """Start-up is over."""
        self._send("READY=1")

    def progress(self, status: str) -> None:
        """A piece of work is done: feeds the watchdog and shows `status`."""
        self._send(f"WATCHDOG=1\nSTATUS={status}")

    def stopping(self) -> None:
        """The end has begun."""
        self._send("STOPPING=1")

    def _send(self, message: str) -> None:
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
        ):
            channel.sendto(message.encode(), self._address)


class NoNotifier:
    """For runs without a service manager."""

    def ready(self) -> None:
        """Nobody is waiting."""

    def progress(self, status: str) -> None:
        """Nobody is watching."""

    def stopping(self) -> None:
        """Nobody is waiting."""
