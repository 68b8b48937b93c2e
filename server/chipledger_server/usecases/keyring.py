"""Keys of hosts: what stands in the log of them, and what the enrolments' doors keep and ask."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal, Protocol

from chipledger_evidence.codec import Wire
from chipledger_evidence.enrolment import KeyTier
from chipledger_evidence.ids import Digest, HostName, SiteName
from chipledger_evidence.inventory import Count, Text
from chipledger_evidence.keys import Jwk
from chipledger_evidence.tpm.endorsement import EkStanding
from chipledger_evidence.tpm.offer import Area, Certificate


class TpmEnrolled(Wire, frozen=True, kw_only=True):
    """The TPM behind a key, as it was judged when the key was enrolled.

    Attributes:
        ak: public area of the attestation key.
        ek: SHA-256 of the endorsement key's SubjectPublicKeyInfo.
        standing: what the EK certificate proved.
        certificate: the EK certificate as received, readable or not.
        chain: further certificates as received.
        model: manufacturer, model and version as the EK certificate names the TPM.
        vendor: maker of the pinned issuer that was reached.
    """

    ak: Area
    ek: Digest
    standing: EkStanding
    certificate: Certificate | None = None
    chain: tuple[Certificate, ...] = ()
    model: Text | None = None
    vendor: Text | None = None


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
        tpm: the TPM that holds the key.
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
    tpm: TpmEnrolled | None = None
    v: Literal[1] = 1


class KeyAdded(Wire, frozen=True, kw_only=True):
    """The record behind an entry of type ``key``: a host goes on with another key.

    Attributes:
        at: Unix milliseconds.
        cause: the old key let the new one in, or two people did by a code for this host.
        host: whose key it is.
        jwk: the public key.
        kid: its thumbprint.
        revoked: keys of the host that end with this record.
        tier: key tier as the collector judged it.
        code: digest of the code of a replacement.
        tpm: the TPM that holds the key.
        v: version of this format.
    """

    at: Count
    cause: Literal["rotation", "replacement"]
    host: HostName
    jwk: Jwk
    kid: Digest
    revoked: tuple[Digest, ...]
    tier: KeyTier
    code: Digest | None = None
    tpm: TpmEnrolled | None = None
    v: Literal[1] = 1


class TpmConflict(Wire, frozen=True, kw_only=True, tag_field="conflict", tag="tpm"):
    """The record behind an entry of type ``key``: a TPM asked for what is not its own; refused.

    The TPM had proven that it holds the endorsement key. The same conflict is one record,
    however often it is tried.

    Attributes:
        at: Unix milliseconds of the first time.
        ek: SHA-256 of the endorsement key's SubjectPublicKeyInfo.
        host: the host it is enrolled for, or whose key it asked for.
        what: the key of a known host under another host, or another key under a known host.
        v: version of this format.
    """

    at: Count
    ek: Digest
    host: HostName
    what: Literal["ek-of-another-host", "another-ek"]
    v: Literal[1] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRow:
    """An enrolment code as it is kept; `host` when it replaces the key of that host."""

    site: str
    uses_left: int
    expires_ms: int
    serials: frozenset[str] | None
    host: str | None = None


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
    jwk: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """What the doors must know of a host.

    Attributes:
        site: where it is.
        retired: whether it is retired.
        keys: its keys that are not revoked.
        ek: name of the newest TPM that held a key of it, None when none ever did.
    """

    site: str
    retired: bool
    keys: tuple[str, ...]
    ek: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """An enrolment with a TPM between its two steps.

    Attributes:
        session: names it, 32 random bytes.
        kid: the key it is about; a key has one attempt at a time.
        request: the compact JWS that asked, as received.
        secret: what the TPM must open.
        blob: credential, first half.
        seed: credential, second half.
        expires_ms: from when on it is refused.
        spent: it was answered, well or not.
    """

    session: bytes
    kid: str
    request: bytes
    secret: bytes
    blob: bytes
    seed: bytes
    expires_ms: int
    spent: bool = False


class EnrolmentBook(Protocol):
    """Codes, hosts, keys and attempts inside one transaction that holds the write lock."""

    def enrolled(self, kid: str) -> Enrolled | None:
        """Return what is known of a key."""
        ...

    def code(self, code_hash: bytes) -> CodeRow | None:
        """Return an enrolment code."""
        ...

    def host(self, host: str) -> HostRow:
        """Return a host that exists."""
        ...

    def host_of(self, ek: bytes) -> str | None:
        """Return the host that an endorsement key was ever enrolled for."""
        ...

    def enrol(self, record: HostEnrolled, code_hash: bytes, salt: bytes) -> bytes:
        """Take one use of the code, keep host and key, write the record; return its leaf."""
        ...

    def add_key(self, record: KeyAdded, code_hash: bytes, salt: bytes) -> bytes:
        """Keep a key of a known host, revoke those it names, write the record; return its leaf.

        A replacement takes one use of its code.
        """
        ...

    def conflict(self, record: TpmConflict, salt: bytes) -> None:
        """Write a conflict down, unless the same one is written already."""
        ...

    def attempt(self, session: bytes) -> Attempt | None:
        """Return an attempt that is still kept."""
        ...

    def attempt_of(self, kid: str) -> Attempt | None:
        """Return the attempt of a key."""
        ...

    def begin(self, attempt: Attempt, now_ms: int) -> bool:
        """Keep an attempt in place of the key's former one; False when too many are open.

        Those whose time is over are dropped.
        """
        ...

    def spend(self, session: bytes) -> None:
        """Write down that an attempt was answered; its secret is forgotten."""
        ...


class EnrolmentStore(Protocol):
    """Where codes and keys are kept."""

    def is_made(self, code_hash: bytes) -> bool:
        """Tell whether a code was ever made, keeping nobody from writing."""
        ...

    def key(self, kid: str) -> Enrolled | None:
        """Return what is known of a key, keeping nobody from writing."""
        ...

    def changing(self) -> AbstractContextManager[EnrolmentBook]:
        """Begin a transaction that ends with the block: kept, or undone by an exception."""
        ...
