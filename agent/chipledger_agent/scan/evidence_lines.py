"""What the evidence child says to its parent, and the command that starts it.

Apart from the child itself, so that the parent never loads the NVML binding.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from chipledger_agent.scan.library import DEFAULT_LIBRARIES
from chipledger_evidence.inventory import MAX_CHIPS, Unread

CHILD_MODULE = "chipledger_agent.scan.evidence"

Index = Annotated[int, msgspec.Meta(ge=0, lt=MAX_CHIPS)]


class _Line(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="line"
):
    """Base of every line."""


class NoLibrary(_Line, frozen=True, tag="no-library"):
    """NVML could not be loaded."""


class Mode(_Line, frozen=True, tag="mode"):
    """Whether a mode is on in which chips sign; nothing is asked where none is."""

    on: bool


class Signed(_Line, frozen=True, tag="signed"):
    """One chip's report and chain, exactly the bytes the driver gave (base64 in the line)."""

    index: Index
    chain: bytes
    report: bytes


class Failed(_Line, frozen=True, tag="failed"):
    """A call that did not answer; nothing more is asked after it.

    Attributes:
        call: name of the NVML function.
        error: its return code, or what it answered instead.
        index: the chip it was about.
    """

    call: str
    error: Unread
    index: Index | None = None


class Ended(_Line, frozen=True, tag="ended"):
    """The child went to its end; nothing follows."""


EvidenceLine = NoLibrary | Mode | Signed | Failed | Ended
_DECODER = msgspec.json.Decoder(EvidenceLine)


def encode_line(line: EvidenceLine) -> bytes:
    """Return the line with its line feed."""
    return msgspec.json.encode(line) + b"\n"


END = encode_line(Ended())
"""The last line of every child that went to its end."""


def decode_line(data: bytes) -> EvidenceLine:
    """Return the line in `data`.

    Raises:
        msgspec.DecodeError: it is not one of ours.
    """
    line: EvidenceLine = _DECODER.decode(data)
    return line


def evidence_command(*, libraries: Sequence[Path] = DEFAULT_LIBRARIES) -> tuple[str, ...]:
    """Return the command of the evidence child, the nonce left out.

    Raises:
        ValueError: a path is not absolute.
    """
    for path in libraries:
        if not path.is_absolute():
            raise ValueError(f"an absolute path is needed, not {path}")
    head = (sys.executable, "-I", "-m", CHILD_MODULE)
    return (*head, *(part for path in libraries for part in ("--library", str(path))))
