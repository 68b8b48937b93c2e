"""Small servers that look at the bytes between agent and collector, or spoil them."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(slots=True)
class Tap:
    """What went through.

    Attributes:
        port: where it listens on 127.0.0.1.
        heads: first bytes of each connection.
        sent: all bytes from the agent.
    """

    port: int
    heads: list[bytes] = field(default_factory=list)
    sent: bytearray = field(default_factory=bytearray)


_DRAIN_S = 0.2
_RESET = struct.pack("ii", 1, 0)  # linger no time: close sends a reset (socket(7))


@contextmanager
def relay(target: int, *, connect: bool = False) -> Iterator[Tap]:
    """Pass bytes on to a port of this machine; with `connect` as an HTTP proxy's tunnel."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        tap = Tap(server.getsockname()[1])

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    threading.Thread(target=_pass_on, args=(client, target, tap, connect)).start()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield tap
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextmanager
def saying(answer: bytes, *, slowly: bool = False, breaking: bool = False) -> Iterator[int]:
    """Answer every connection with `answer`.

    Args:
        answer: what is sent, whatever was asked.
        slowly: then a byte at a time, for ever.
        breaking: reset the connection after the answer instead of ending it.
    """
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = server.accept()
                    with client, suppress(OSError):
                        client.recv(65536)
                        client.sendall(answer)
                        while slowly and not stop.wait(0.05):
                            client.sendall(b" ")
                        if breaking:
                            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                            continue
                        # Unread bytes of the request would turn the end into a reset.
                        client.shutdown(socket.SHUT_WR)
                        client.settimeout(_DRAIN_S)
                        while client.recv(65536):
                            pass

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            stop.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def _pass_on(client: socket.socket, target: int, tap: Tap, connect: bool) -> None:  # noqa: FBT001 - a thread's arguments
    with client, socket.create_connection(("127.0.0.1", target)) as server:
        if connect:
            tap.heads.append(client.recv(65536))
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        back = threading.Thread(target=_copy, args=(server, client, None))
        back.start()
        _copy(client, server, tap.sent)
        back.join()


def _copy(source: socket.socket, sink: socket.socket, seen: bytearray | None) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            if seen is not None:
                seen += data
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_WR)
