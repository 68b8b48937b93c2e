"""Reading a request's body: bounded in bytes, in time, and after decompression."""

import asyncio
import zlib
from typing import Final

from chipledger_evidence.errors import Code as EvidenceCode
from chipledger_evidence.errors import EvidenceError
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.web.asgi import Receive

_GZIP_WINDOW: Final = 31  # zlib's way to say: gzip header and trailer, nothing else


class Gone(Exception):  # noqa: N818 - nothing is wrong, nobody is left to answer
    """The sender closed the connection."""


async def read_body(receive: Receive, *, most_bytes: int, idle_s: int, total_s: int) -> bytes:
    """Return the whole body.

    Raises:
        EvidenceError: `oversize`, as soon as it is.
        ServerError: `slow-body`, when nothing comes for `idle_s` or all of it takes `total_s`.
        Gone: nobody is left to answer.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(idle_s) as patience:
            message = await receive()
            body: bytes = message.get("body", b"")
            if message.get("more_body"):
                end = loop.time() + total_s
                parts = [body]
                size = len(body)
                while message.get("more_body") and size <= most_bytes:
                    patience.reschedule(min(loop.time() + idle_s, end))
                    message = await receive()
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                body = b"".join(parts)
    except TimeoutError:
        raise ServerError(
            Code.SLOW_BODY, f"the body did not come within {idle_s} s a part, {total_s} s in all"
        ) from None
    if message["type"] == "http.disconnect":
        raise Gone
    if len(body) > most_bytes:
        raise EvidenceError(EvidenceCode.OVERSIZE, f"more than {most_bytes} bytes of body")
    return body


def gunzip(body: bytes, *, most_bytes: int) -> bytes:
    """Return what `body` decompresses to, never producing more than `most_bytes`.

    Raises:
        EvidenceError: `oversize`.
        ServerError: `malformed-compression`: not one whole gzip member and nothing else.
    """
    stream = zlib.decompressobj(_GZIP_WINDOW)
    try:
        plain = stream.decompress(body, most_bytes + 1)
    except zlib.error as error:
        raise ServerError(Code.MALFORMED_COMPRESSION, str(error)) from error
    if len(plain) > most_bytes:
        raise EvidenceError(
            EvidenceCode.OVERSIZE, f"more than {most_bytes} bytes after decompression"
        )
    if not stream.eof or stream.unused_data or stream.unconsumed_tail:
        raise ServerError(
            Code.MALFORMED_COMPRESSION, "the body is not one whole gzip member and nothing else"
        )
    return plain
