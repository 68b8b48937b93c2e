"""Enrolment: a code admits a key, once for each of its uses, and always the same key again."""

import hashlib
from base64 import b32encode
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from chipledger_evidence.codec import Wire, b64url_encode
from chipledger_evidence.enrolment import Enrolment, EnrolmentRequest, KeyTier, open_enrolment
from chipledger_evidence.entry import SALT_BYTES
from chipledger_evidence.ids import Digest, HostName, SiteName
from chipledger_evidence.inventory import Count, Text
from chipledger_evidence.keys import Jwk, PublicKey
from chipledger_evidence.nonce import RANDOM_BYTES, Kind, mint
from chipledger_server.config import Policy
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.ports import Clock, Entropy

_HOST_BYTES: Final = 16


class HostEnrolled(Wire, frozen=True, kw_only=True):
    """The record behind an entry of type ``enrolment``.

    Attributes:
        at: Unix milliseconds.
        code: digest of the enrolment code used.
        host: host id given.
        jwk: the public key.
        kid: its thumbprint.
        provider: provider the host says it will report through.
        site: site of the code.
        tier: key tier as the collector judged it.
        ueid: EAT identity of the host.
        hardware: DMI vendor and product, self-reported.
        serials: board serials the host named.
        v: version of this format.
    """

    at: Count
    code: Digest
    host: HostName
    jwk: Jwk
    kid: Digest
    provider: Text
    site: SiteName
    tier: KeyTier
    ueid: Text
    hardware: Text | None = None
    serials: tuple[Text, ...] = ()
    v: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """An enrolment code as it is kept."""

    site: str
    uses_left: int
    expires_ms: int
    serials: frozenset[str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolled:
    """A key that is enrolled."""

    host: str
    site: str
    tier: str
    code_hash: bytes
    enrolled_ms: int
    leaf: bytes
    revoked: bool


class EnrolmentBook(Protocol):
    """Codes and keys inside one transaction that holds the write lock."""

    def enrolled(self, kid: str) -> Enrolled | None:
        """Return what is known of a key."""
        ...

    def code(self, code_hash: bytes) -> CodeRow | None:
        """Return an enrolment code."""
        ...

    def enrol(self, record: HostEnrolled, code_hash: bytes, salt: bytes) -> bytes:
        """Take one use of the code, keep host and key, write the record; return its leaf."""
        ...


class EnrolmentStore(Protocol):
    """Where codes and keys are kept."""

    def is_made(self, code_hash: bytes) -> bool:
        """Tell whether a code was ever made, keeping nobody from writing."""
        ...

    def changing(self) -> AbstractContextManager[EnrolmentBook]:
        """Begin a transaction that ends with the block: kept, or undone by an exception."""
        ...


class Enrolments:
    """The enrolments' door, without its HTTP. Blocks: it is called from a worker thread."""

    def __init__(
        self,
        *,
        store: EnrolmentStore,
        clock: Clock,
        entropy: Entropy,
        nonce_keys: Sequence[bytes],
        policy: Policy,
        collector: str,
    ) -> None:
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self._nonce_key = nonce_keys[0]
        self._policy = policy
        self._collector = collector

    def enrol(self, body: bytes) -> Enrolment:
        """Return the host's enrolment; the same again for the same code and key.

        Raises:
            EvidenceError: the request does not prove possession of its key.
            ServerError: `enrolment-code-unknown`, `-expired`, `-used-up`, `-wrong-serials`,
                `key-already-enrolled`.
        """
        request, key = open_enrolment(body)
        code_hash = hashlib.sha256(request.code.encode("ascii")).digest()
        # A code once made is never taken away, so who has none is refused before the write lock:
        # strangers, however many, do not keep reports from being stored.
        if not self._store.is_made(code_hash):
            raise _unknown_code()
        with self._store.changing() as book:
            known = book.enrolled(key.kid)
            if known is None:
                return self._admit(request, key, code_hash, book)
        if known.code_hash != code_hash or known.revoked:
            raise ServerError(
                Code.KEY_ALREADY_ENROLLED,
                f"key {key.kid} was enrolled with another code, or is revoked",
                hint="make a new key, or repeat the enrolment with the code it was made with",
            )
        return self._answer(known, key)

    def _admit(
        self, request: EnrolmentRequest, key: PublicKey, code_hash: bytes, book: EnrolmentBook
    ) -> Enrolment:
        now_ms = self._clock.now_ms()
        code = _admitting(book.code(code_hash), request, now_ms)
        record = HostEnrolled(
            at=now_ms,
            code=b64url_encode(code_hash),
            hardware=request.hardware,
            host="h-" + b32encode(self._entropy(_HOST_BYTES)).decode("ascii").lower().rstrip("="),
            jwk=key.jwk,
            kid=key.kid,
            provider=request.provider,
            serials=request.serials,
            site=code.site,
            # A request names its tier; nothing in this format proves a better one than this.
            tier=KeyTier.SOFTWARE,
            ueid=request.ueid,
        )
        leaf = book.enrol(record, code_hash, self._entropy(SALT_BYTES))
        enrolled = Enrolled(
            host=record.host,
            site=record.site,
            tier=record.tier,
            code_hash=code_hash,
            enrolled_ms=now_ms,
            leaf=leaf,
            revoked=False,
        )
        return self._answer(enrolled, key)

    def _answer(self, enrolled: Enrolled, key: PublicKey) -> Enrolment:
        # One epoch value for half a window, so that a repeated answer is the same to the byte.
        half_s = max(1, self._policy.epoch_limit_s // 2)
        first_s, now_s = enrolled.enrolled_ms // 1000, self._clock.now_ms() // 1000
        epoch = mint(
            self._nonce_key,
            kind=Kind.EPOCH,
            host=enrolled.host,
            time_s=first_s + max(0, now_s - first_s) // half_s * half_s,
            random=enrolled.leaf[:RANDOM_BYTES],
        )
        return Enrolment(
            collector=self._collector,
            epoch=b64url_encode(epoch),
            full_interval_s=self._policy.full_interval_s,
            host=enrolled.host,
            interval_s=self._policy.interval_s,
            kid=key.kid,
            leaf=b64url_encode(enrolled.leaf),
            site=enrolled.site,
            tier=KeyTier(enrolled.tier),
        )


def _admitting(code: CodeRow | None, request: EnrolmentRequest, now_ms: int) -> CodeRow:
    """Return the code if it admits the request."""
    if code is None:
        raise _unknown_code()
    if now_ms >= code.expires_ms:
        raise ServerError(
            Code.ENROLMENT_CODE_EXPIRED,
            f"the code for {code.site} has expired",
            hint="ask for a new code",
        )
    if code.uses_left < 1:
        raise ServerError(
            Code.ENROLMENT_CODE_USED_UP,
            f"the code for {code.site} has no use left",
            hint="ask for a new code; a host that has enrolled with it may repeat with its key",
        )
    if code.serials is not None and not (
        request.serials and code.serials.issuperset(request.serials)
    ):
        raise ServerError(
            Code.ENROLMENT_CODE_WRONG_SERIALS,
            f"the code for {code.site} is tied to board serials, and this host has others",
            hint="ask for a code for the serials of this host",
        )
    return code


def _unknown_code() -> ServerError:
    return ServerError(
        Code.ENROLMENT_CODE_UNKNOWN,
        "no such enrolment code was made here",
        hint="check the code and the collector's address; ask for a new code",
    )
