"""What a connection does between uvicorn and the transport that carries it."""

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest
from typing_extensions import override

from chipledger_server.web.transport import JoiningTransport

T = TypeVar("T")
NAMES = {
    "peername": ("::1", 40000, 0, 0),
    "sockname": ("127.0.0.1", 8443),
    "sslcontext": "a context",
    "socket": "a socket",
}


class Wire(asyncio.Transport):
    """A transport that remembers."""

    def __init__(self) -> None:
        super().__init__(NAMES)
        self.sent: list[bytes] = []
        self.end = ""

    @override
    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))

    @override
    def close(self) -> None:
        self.end = "closed"

    @override
    def abort(self) -> None:
        self.end = "aborted"

    @override
    def is_closing(self) -> bool:
        return bool(self.end)


async def _turns() -> None:
    """Let the loop do what it has to do."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def _joining() -> tuple[JoiningTransport, Wire]:
    wire = Wire()
    return JoiningTransport(wire, asyncio.get_running_loop()), wire


def _run(scene: Coroutine[Any, Any, T]) -> T:
    """Run `scene` in a thread: a browser's test may have left a running loop in this one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, scene).result()


def test_a_head_and_its_body_leave_as_one() -> None:
    """Two pieces written in one go are one write below."""

    async def scene() -> list[bytes]:
        transport, wire = _joining()
        transport.write(b"head ")
        transport.write(b"body")
        await _turns()
        return wire.sent

    assert _run(scene()) == [b"head body"]


def test_a_lone_piece_leaves_in_the_same_turn() -> None:
    """A piece that nothing follows is not kept waiting for a next one."""

    async def scene() -> list[list[bytes]]:
        transport, wire = _joining()
        transport.write(b"100 Continue")
        before = list(wire.sent)
        await _turns()
        return [before, wire.sent]

    assert _run(scene()) == [[], [b"100 Continue"]]


def test_pieces_of_any_number_leave_in_order_and_at_most_one_is_held() -> None:
    """A body that is written for long without a pause does not collect here."""

    async def scene() -> tuple[int, bytes]:
        transport, wire = _joining()
        for number in range(9):
            transport.write(b"%d" % number)
            transport.write(b"")
        written = sum(map(len, wire.sent))
        await _turns()
        return written, b"".join(wire.sent)

    written, arrived = _run(scene())
    assert written >= 8
    assert arrived == b"012345678"


def test_closing_sends_what_is_held() -> None:
    """An answer that ends its connection arrives."""

    async def scene() -> tuple[list[bytes], str]:
        transport, wire = _joining()
        transport.write(b"400")
        transport.close()
        assert transport.is_closing()
        await _turns()
        return wire.sent, wire.end

    assert _run(scene()) == ([b"400"], "closed")


def test_aborting_sends_nothing() -> None:
    """What is given up is not written to."""

    async def scene() -> tuple[list[bytes], str]:
        transport, wire = _joining()
        transport.write(b"half")
        transport.abort()
        await _turns()
        return wire.sent, wire.end

    assert _run(scene()) == ([], "aborted")


def test_nothing_is_written_to_a_connection_that_was_lost() -> None:
    """What is held when the other end goes is dropped: a closed transport takes no write."""

    async def scene() -> list[bytes]:
        transport, wire = _joining()
        transport.write(b"late")
        wire.close()
        await _turns()
        return wire.sent

    assert _run(scene()) == []


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("peername", ("::1", 40000)),
        ("sockname", ("127.0.0.1", 8443)),
        ("sslcontext", "a context"),
        ("socket", None),
        ("else", None),
    ],
)
def test_names_come_from_the_transport(name: str, known: Any) -> None:  # noqa: ANN401
    """Both ends are an address and a port, in either family, and the kernel is not asked."""

    async def scene() -> object:
        return _joining()[0].get_extra_info(name)

    assert _run(scene()) == known
