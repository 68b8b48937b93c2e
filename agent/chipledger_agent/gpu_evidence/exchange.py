"""What agent and evidence service say to each other: one request, one answer, over a unix socket.

The service, which is root, only starts one program and hands its output on; everything that has
to be understood is understood by the agent, which is not root. Both sides bound what they read.

::

    request = one line of JSON, at most 512 bytes: {"device","nonce","v":1}
    answer  = one line of JSON, at most 4 KiB: {"code","detail","size","v":1}; then `size` bytes
"""

from typing import Annotated, Literal

import msgspec

from chipledger_evidence.codec import Wire, decode_strict, encode_canonical
from chipledger_evidence.ids import whole

SOCKET = "/run/chipledger-gpu-evidence.sock"
MAX_REQUEST_BYTES = 512
MAX_HEAD_BYTES = 4096
MAX_OUTPUT_BYTES = 4 * 1024 * 1024
"""Most bytes of a program's output that are handed on; 72 chips make about one MiB."""
GOOD = "ok"

Device = Literal["gpu", "nvswitch"]


class Request(Wire, frozen=True, kw_only=True):
    """Ask the devices of one kind to sign.

    Attributes:
        device: which kind.
        nonce: the device nonce, 64 lower-case hex digits.
        v: version of this exchange.
    """

    device: Device
    nonce: Annotated[str, whole("[0-9a-f]{64}")]
    v: Literal[1]


class Head(Wire, frozen=True, kw_only=True):
    """What became of a request; the program's output follows when `code` is `ok`.

    Attributes:
        code: `ok`, or a reason code.
        detail: the service's or the program's own words, shortened.
        size: bytes that follow.
        v: version of this exchange.
    """

    code: Annotated[str, whole("[a-z][a-z0-9-]{0,63}")]
    detail: Annotated[str, msgspec.Meta(max_length=512)] = ""
    size: Annotated[int, msgspec.Meta(ge=0, le=MAX_OUTPUT_BYTES)] = 0
    v: Literal[1]


def encode_line(message: Request | Head) -> bytes:
    """Return the message with its line feed."""
    return encode_canonical(message) + b"\n"


def decode_request(line: bytes) -> Request:
    """Return the request in `line`, without its line feed.

    Raises:
        EvidenceError: it is not exactly a request.
    """
    return decode_strict(line, Request, max_bytes=MAX_REQUEST_BYTES)


def decode_head(line: bytes) -> Head:
    """Return the head in `line`, without its line feed.

    Raises:
        EvidenceError: it is not exactly a head.
    """
    return decode_strict(line, Head, max_bytes=MAX_HEAD_BYTES)
