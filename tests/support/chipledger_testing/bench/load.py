"""A load generator: kept-alive connections that send prepared requests, one at a time each."""

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from typing_extensions import override

Send = Callable[[int, Sequence[bytes], int, ssl.SSLContext | None], Coroutine[Any, Any, "Outcome"]]
_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


@dataclass(slots=True)
class Outcome:
    """What came of one load.

    Attributes:
        wall_s: how long it took.
        latencies_s: of each request, in the order of the requests.
        bodies: answers, in the order of the requests.
        failed: requests not answered with 200.
    """

    wall_s: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    failed: int = 0

    def percentile_ms(self, percent: int) -> float:
        """Return a percentile of the latencies, milliseconds."""
        return percentile_ms(self.latencies_s, percent)


def percentile_ms(latencies_s: Sequence[float], percent: int) -> float:
    """Return a percentile of latencies, milliseconds."""
    ordered = sorted(latencies_s)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000


def request(path: str, media_type: str, body: bytes, *, gzip: bool = False) -> bytes:
    """Return the bytes of one POST."""
    encoding = "Content-Encoding: gzip\r\n" if gzip else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media_type}\r\n"
        f"{encoding}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Client:
    """One connection: sends the next request when the answer to the last one is complete."""

    def __init__(
        self, work: Iterator[tuple[int, bytes]], outcome: Outcome, done: asyncio.Future[None]
    ) -> None:
        self._work = work
        self._outcome = outcome
        self._done = done
        self._buffer = b""
        self._index = 0
        self._sent_s = 0.0
        self._transport: asyncio.Transport

    def pause_writing(self) -> None:
        """Requests are small: nothing to pause."""

    def resume_writing(self) -> None:
        """Nothing was paused."""

    def eof_received(self) -> None:
        """What follows is `connection_lost`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._next()

    def _next(self) -> None:
        item = next(self._work, None)
        if item is None:
            self._transport.close()
            if not self._done.done():
                self._done.set_result(None)
            return
        self._index, data = item
        self._sent_s = time.perf_counter()
        self._transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Collect an answer; when it is complete, send the next request."""
        self._buffer += data
        head_end = self._buffer.find(_END)
        if head_end < 0:
            return
        at = self._buffer.find(_LENGTH) + len(_LENGTH)
        length = int(self._buffer[at : self._buffer.find(b"\r\n", at)])
        if len(self._buffer) < head_end + len(_END) + length:
            return
        if not self._buffer.startswith(b"HTTP/1.1 200"):
            self._outcome.failed += 1
        self._outcome.latencies_s[self._index] = time.perf_counter() - self._sent_s
        self._outcome.bodies[self._index] = self._buffer[head_end + len(_END) :]
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that the work cannot go on."""
        if not self._done.done():
            self._done.set_exception(exc or ConnectionError("closed by the collector"))


class _Kept(_Client):
    """One connection that stays, and sends a request when it is told to."""

    _answered: asyncio.Future[None] | None = None

    @override
    def _next(self) -> None:
        if self._answered is not None:
            self._answered.set_result(None)

    def send(self, item: tuple[int, bytes]) -> asyncio.Future[None]:
        """Send a request and return the future of its answer."""
        self._answered = asyncio.get_running_loop().create_future()
        self._index, data = item
        self._sent_s = time.perf_counter()
        self._transport.write(data)
        return self._answered

    def close(self) -> None:
        """Close it."""
        self._done.set_result(None)
        self._transport.close()


def _connect(
    work: Iterator[tuple[int, bytes]], outcome: Outcome, done: asyncio.Future[None]
) -> asyncio.Protocol:
    return cast("asyncio.Protocol", _Client(work, outcome, done))


async def drive(
    port: int, requests: Sequence[bytes], connections: int, tls: ssl.SSLContext | None
) -> Outcome:
    """Send all `requests` over `connections` kept-alive connections."""
    outcome = Outcome(latencies_s=[0.0] * len(requests), bodies=[b""] * len(requests))
    work = iter(enumerate(requests))
    start = time.perf_counter()
    waits = [await _open(port, work, outcome, tls) for _ in range(connections)]
    await asyncio.gather(*waits)
    outcome.wall_s = time.perf_counter() - start
    return outcome


async def drive_paced(
    port: int, requests: Sequence[bytes], connections: int, a_second: int
) -> Outcome:
    """Send `requests` over kept-alive connections, each when its turn has come."""
    outcome = Outcome(latencies_s=[0.0] * len(requests), bodies=[b""] * len(requests))
    lanes = [_Lane(port, outcome) for _ in range(connections)]
    await asyncio.gather(*(lane.open() for lane in lanes))
    start = time.perf_counter()

    async def sender(lane: _Lane, first: int) -> None:
        for index in range(first, len(requests), connections):
            await asyncio.sleep(max(0.0, start + index / a_second - time.perf_counter()))
            await lane.send(index, requests[index])

    await asyncio.gather(*(sender(lane, first) for first, lane in enumerate(lanes)))
    outcome.wall_s = time.perf_counter() - start
    return outcome


class _Lane:
    """One connection that sends when it is told to."""

    def __init__(self, port: int, outcome: Outcome) -> None:
        self._port = port
        self._outcome = outcome
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter]

    async def open(self) -> None:
        """Connect."""
        self._streams = await asyncio.open_connection("127.0.0.1", self._port)

    async def send(self, index: int, data: bytes) -> None:
        """Send one request and read its answer."""
        reader, writer = self._streams
        start = time.perf_counter()
        writer.write(data)
        head = await reader.readuntil(_END)
        at = head.find(_LENGTH) + len(_LENGTH)
        body = await reader.readexactly(int(head[at : head.find(b"\r\n", at)]))
        self._outcome.latencies_s[index] = time.perf_counter() - start
        self._outcome.bodies[index] = body
        if not head.startswith(b"HTTP/1.1 200"):
            self._outcome.failed += 1


async def drive_anew(
    port: int, requests: Sequence[bytes], connections: int, tls: ssl.SSLContext | None
) -> Outcome:
    """Send each of `requests` over a new connection, `connections` of them at a time."""
    outcome = Outcome(latencies_s=[0.0] * len(requests), bodies=[b""] * len(requests))
    work = iter(enumerate(requests))

    async def sender() -> None:
        for item in work:
            await (await _open(port, iter((item,)), outcome, tls))

    start = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(connections)))
    outcome.wall_s = time.perf_counter() - start
    return outcome


async def drive_beside(
    port: int,
    requests: Sequence[bytes],
    connections: int,
    tls: ssl.SSLContext | None,
    *,
    beside: int,
) -> Outcome:
    """Send `requests` over kept-alive connections, at the pace of :func:`drive_anew`.

    Before each, a new connection is made to port `beside`, and closed after the answer: the same
    work for whoever sends, so that reports arrive as they would by connections of their own.
    """
    outcome = Outcome(latencies_s=[0.0] * len(requests), bodies=[b""] * len(requests))
    work = iter(enumerate(requests))
    loop = asyncio.get_running_loop()

    async def sender() -> None:
        kept = _Kept(iter(()), outcome, loop.create_future())
        await loop.create_connection(
            lambda: cast("asyncio.Protocol", kept), "127.0.0.1", port, ssl=tls
        )
        for item in work:
            other, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", beside, ssl=tls)
            await kept.send(item)
            other.close()
        kept.close()

    start = time.perf_counter()
    await asyncio.gather(*(sender() for _ in range(connections)))
    outcome.wall_s = time.perf_counter() - start
    return outcome


async def _open(
    port: int,
    work: Iterator[tuple[int, bytes]],
    outcome: Outcome,
    tls: ssl.SSLContext | None,
) -> asyncio.Future[None]:
    """Open a connection and return the future of its last answer."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()
    transport, _ = await loop.create_connection(
        partial(_connect, work, outcome, done), "127.0.0.1", port, ssl=tls
    )
    if tls is not None:
        session = transport.get_extra_info("ssl_object")
        if session.version() != "TLSv1.3" or session.session_reused:
            raise AssertionError("not a whole handshake of TLS 1.3")
    return done
