"""What a collector found in the evidence of one round: a record of the log.

A round is one token of one host with the statements of its devices. The result is recomputed by
anybody who has the token, the blobs it names and the pinned root keys.
"""

from typing import Annotated, Literal

import msgspec

from chipledger_evidence.codec import Wire
from chipledger_evidence.gpu.facts import EvidenceFacts
from chipledger_evidence.ids import Digest, whole
from chipledger_evidence.inventory import MAX_CHIPS, Count, Text

MAX_PIECES = 128
"""Statements of devices in one round, as many as a token can name."""


class Piece(Wire, frozen=True, kw_only=True):
    """One device's statement and what it shows.

    Attributes:
        digest: SHA-256 of the blob.
        facts: what it shows, each by itself.
        kind: as the token named it.
        chip: index of the chip in the inventory that the host says it is; a hint.
    """

    digest: Digest
    facts: EvidenceFacts
    kind: Annotated[str, whole("[a-z][a-z0-9.-]{0,63}")]
    chip: Annotated[int, msgspec.Meta(ge=0, lt=MAX_CHIPS)] | None = None


class EvidenceResult(Wire, frozen=True, kw_only=True):
    """The record behind an entry of type ``result``.

    Attributes:
        anchors: version of the list of pinned root keys that was used.
        at: Unix milliseconds when it was judged.
        host: host that collected the evidence.
        inv: digest of the inventory its token named.
        pieces: the statements in the order of the token.
        received: Unix milliseconds when the token arrived.
        site: site of the host.
        token: identity of the token.
        v: version of this format.
    """

    anchors: Text
    at: Count
    host: Text
    inv: Digest
    pieces: Annotated[tuple[Piece, ...], msgspec.Meta(max_length=MAX_PIECES)]
    received: Count
    site: Text
    token: Digest
    v: Literal[1] = 1
