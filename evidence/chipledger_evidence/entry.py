"""Log entries: small, salted, final.

An entry says that a record of some type was taken up at a time; the record itself is named
by SHA-256(salt ‖ record), so the tree can be public and give nothing away. Record and salt go
to those entitled to read them.
"""

import hashlib
from enum import StrEnum
from typing import Literal

from chipledger_evidence.codec import Wire, b64url_encode, encode_canonical
from chipledger_evidence.ids import Digest
from chipledger_evidence.inventory import Count
from chipledger_evidence.merkle import leaf_hash

SALT_BYTES = 16


class EntryType(StrEnum):
    """Everything that changes what we believe is an entry of one of these types."""

    TOKEN = "token"  # noqa: S105 - a word, not a secret
    RESULT = "result"
    ENROLMENT = "enrolment"
    KEY = "key"
    REVOCATION = "revocation"
    LICENCE = "licence"
    RULE_SET = "rule-set"
    EVENT = "event"
    FINDING = "finding"
    CASE = "case"
    DECISION = "decision"
    STAMP = "stamp"
    CORRECTION = "correction"
    PULSE = "pulse"


class Entry(Wire, frozen=True, kw_only=True):
    """One leaf of the log, version 1.

    Attributes:
        digest: base64url(SHA-256(salt ‖ record)).
        time: Unix milliseconds when the collector took the record up.
        type: what kind of record it is.
        v: version of this format.
    """

    digest: Digest
    time: Count
    type: EntryType
    v: Literal[1] = 1


class TokenAccepted(Wire, frozen=True, kw_only=True):
    """The record behind an entry of type ``token``.

    Attributes:
        freshness: what the token's echo proved on arrival.
        host: host that signed it.
        kid: key that signed it.
        received: Unix milliseconds of arrival.
        signature: base64url(SHA-256(signature)): which of the valid signatures was received.
        site: site of the host.
        token: token id.
        v: version of this format.
    """

    freshness: Literal["challenged", "epoch", "late"]
    host: str
    kid: Digest
    received: Count
    signature: Digest
    site: str
    token: Digest
    v: Literal[1] = 1


def make_entry(kind: EntryType, record: bytes, *, salt: bytes, time_ms: int) -> bytes:
    """Return the canonical bytes of the entry for `record`, hidden under `salt` (16 bytes)."""
    digest = b64url_encode(hashlib.sha256(salt + record).digest())
    return encode_canonical(Entry(digest=digest, time=time_ms, type=kind))


def entry_hash(entry: bytes) -> bytes:
    """Return the RFC 6962 leaf hash of an entry's bytes."""
    return leaf_hash(entry)
