"""Nonces that cost the collector nothing to give out.

A nonce is 32 bytes: kind (1), time (5, big-endian seconds), random (10), and the first 16
bytes of HMAC-SHA256 under a key only the collector knows, over a tag, the host id and the
bytes before. Asking for one writes nothing; only *spent* challenges are stored, until they
expire. A value made for one host is foreign to every other.

A challenge proves a token younger than the challenge; an epoch value is given with every
answer and proves a token younger than that answer.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum

from chipledger_evidence.errors import Code, EvidenceError

NONCE_BYTES = 32
RANDOM_BYTES = 10
MIN_KEY_BYTES = 32
_SIGNED_BYTES = 16
_TAG = b"chipledger/nonce/1\x00"


class Kind(IntEnum):
    """What a nonce is for; the first byte."""

    CHALLENGE = 1  # time = expiry; single use
    EPOCH = 2  # time = when given; may be echoed more than once
    EVIDENCE = 3  # a challenge that allows the time device evidence takes


class Freshness(StrEnum):
    """What a token's echo of a collector value proves about its age."""

    CHALLENGED = "challenged"
    EPOCH = "epoch"
    LATE = "late"


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """A nonce of ours for this host: its kind and time, and what it proves at `now`."""

    kind: Kind
    time_s: int
    freshness: Freshness


def mint(key: bytes, *, kind: Kind, host: str, time_s: int, random: bytes) -> bytes:
    """Return the 32-byte nonce.

    Args:
        key: the collector's nonce key, at least 32 bytes.
        kind: what it is for.
        host: the one host that may echo it.
        time_s: expiry (challenge, evidence) or time of issue (epoch), Unix seconds.
        random: 10 fresh random bytes.
    """
    if len(key) < MIN_KEY_BYTES or len(random) != RANDOM_BYTES:
        raise ValueError("a nonce needs a 32-byte key and 10 random bytes")
    head = bytes((kind,)) + time_s.to_bytes(5) + random
    return head + _mac(key, host, head)


def judge(
    nonce: bytes, *, keys: Sequence[bytes], host: str, now_s: int, epoch_window_s: int
) -> Echo:
    """Return what the echoed `nonce` proves, at `now_s`, about a token of `host`.

    Args:
        nonce: the 32 bytes of `eat_nonce`.
        keys: accepted nonce keys, the current one first.
        host: host that signed the token.
        now_s: the collector's clock.
        epoch_window_s: age up to which an epoch value counts as fresh.

    Raises:
        EvidenceError: `foreign-nonce` when no key of ours made it for this host.
    """
    head, mac = nonce[:_SIGNED_BYTES], nonce[_SIGNED_BYTES:]
    if not any(hmac.compare_digest(_mac(key, host, head), mac) for key in keys):
        raise EvidenceError(
            Code.FOREIGN_NONCE,
            f"eat_nonce was not given to host {host} by this collector",
            hint="ask for a challenge and sign again",
        )
    kind, time_s = Kind(head[0]), int.from_bytes(head[1:6])
    if kind is Kind.EPOCH:
        fresh = now_s - time_s <= epoch_window_s
        freshness = Freshness.EPOCH if fresh else Freshness.LATE
    else:
        freshness = Freshness.CHALLENGED if now_s <= time_s else Freshness.LATE
    return Echo(kind=kind, time_s=time_s, freshness=freshness)


def _mac(key: bytes, host: str, head: bytes) -> bytes:
    name = host.encode()
    message = _TAG + len(name).to_bytes(2) + name + head
    return hmac.digest(key, message, hashlib.sha256)[:_SIGNED_BYTES]
