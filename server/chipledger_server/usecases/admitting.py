"""What lets a key in: codes, the present key, and what is known of the TPM that holds it."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.enrolment import EnrolmentRequest, KeyTier
from chipledger_evidence.errors import Code as EvidenceCode
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.tpm.endorsement import EkRoot, EkStanding, check_endorsement
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.usecases.keyring import (
    CodeRow,
    Enrolled,
    EnrolmentBook,
    TpmConflict,
    TpmEnrolled,
)
from chipledger_server.usecases.wishes import ByCode, ByKey, Wish


def judge(wish: Wish, *, roots: Sequence[EkRoot], now_ms: int) -> TpmEnrolled | None:
    """Return what is known of the TPM behind a wish, None for a software key.

    Raises:
        EvidenceError: `ek-mismatch` or `ek-certificate-forged`.
    """
    if wish.tpm is None or wish.offer is None:
        return None
    facts = check_endorsement(
        wish.tpm.ek,
        wish.tpm.certificate,
        chain=wish.tpm.chain,
        roots=roots,
        now=datetime.fromtimestamp(now_ms // 1000, UTC),
    )
    return TpmEnrolled(
        ak=wish.offer.ak,
        ek=b64url_encode(ek_digest(wish)),
        standing=facts.standing,
        certificate=wish.offer.certificate,
        chain=wish.offer.chain,
        model=facts.model,
        vendor=facts.vendor,
    )


def tier_of(tpm: TpmEnrolled | None) -> KeyTier:
    """Return the tier that a key has earned; what the request calls it does not count."""
    if tpm is None:
        return KeyTier.SOFTWARE
    return KeyTier.TPM_EK if tpm.standing is EkStanding.VERIFIED else KeyTier.TPM_NOEK


def ek_digest(wish: Wish) -> bytes:
    """Return the name of a TPM: SHA-256 of its endorsement key."""
    if wish.tpm is None:
        raise TypeError("a software key has no endorsement key")
    return hashlib.sha256(wish.tpm.ek.spki).digest()


def conflict(
    wish: Wish, book: EnrolmentBook, now_ms: int
) -> tuple[TpmConflict, ServerError] | None:
    """Return why a TPM may not have the key it asks for, and what to write down of it."""
    if wish.tpm is None:
        return None
    ek = ek_digest(wish)
    owner, target = book.host_of(ek), _target(wish, book)
    if owner is not None and owner != target:
        return _found(ek, owner, "ek-of-another-host", now_ms), ServerError(
            Code.EK_OF_ANOTHER_HOST,
            f"this TPM is enrolled for {owner}",
            hint=f"the collector's people can replace the key of {owner}: host propose",
        )
    if isinstance(wish.by, ByKey) and book.host(wish.by.said.host).ek not in {None, ek}:
        host = wish.by.said.host
        return _found(ek, host, "another-ek", now_ms), ServerError(
            Code.ANOTHER_EK,
            f"{host} is enrolled with another TPM",
            hint="another TPM is a replacement, which takes two people: host propose",
        )
    return None


def require_code(by: ByCode, book: EnrolmentBook, now_ms: int) -> CodeRow:
    """Return the code of a request if it admits the request now.

    Raises:
        ServerError: `enrolment-code-…`, `host-retired`.
    """
    code = _admitting(book.code(by.code_hash), by.said, now_ms)
    if code.host is not None:
        _require_not_retired(book, code.host)
    return code


def require_present_key(by: ByKey, book: EnrolmentBook) -> Enrolled:
    """Return the key that lets the next one in, if it is the host's present one.

    Raises:
        EvidenceError: `revoked-key`.
        ServerError: `host-retired`; `another-ek` where it would leave a TPM.
    """
    old = book.enrolled(by.said.previous)
    if old is None or old.revoked:
        raise EvidenceError(EvidenceCode.REVOKED_KEY, f"key {by.said.previous} is revoked")
    if by.said.tpm is None and old.tier != KeyTier.SOFTWARE:
        raise ServerError(
            Code.ANOTHER_EK,
            f"the key of {old.host} is in a TPM, and the next one is not",
            hint="a key outside the TPM is a replacement, which takes two people: host propose",
        )
    _require_not_retired(book, old.host)
    return old


def require_timely(by: ByKey, *, now_ms: int, ttl_s: int) -> None:
    """Refuse a rotation signed too long ago or too far ahead, done before or not.

    Both signatures hold for ever, so without this one that was caught on its way, or that lies
    in a backup, lets its key in for as long as the present one is the host's.

    Raises:
        ServerError: `rotation-expired`.
    """
    if abs(now_ms // 1000 - by.said.iat) > ttl_s:
        raise ServerError(
            Code.ROTATION_EXPIRED,
            f"the rotation of {by.said.host} was signed at {by.said.iat}, more than {ttl_s} s"
            " from now",
            hint="set the host's clock, then rotate again: a new request is signed",
        )


def unknown_code() -> ServerError:
    """Return the error of a code that was never made."""
    return ServerError(
        Code.ENROLMENT_CODE_UNKNOWN,
        "no such enrolment code was made here",
        hint="check the code and the collector's address; ask for a new code",
    )


def _found(
    ek: bytes, host: str, what: Literal["ek-of-another-host", "another-ek"], now_ms: int
) -> TpmConflict:
    return TpmConflict(at=now_ms, ek=b64url_encode(ek), host=host, what=what)


def _target(wish: Wish, book: EnrolmentBook) -> str | None:
    if isinstance(wish.by, ByKey):
        return wish.by.said.host
    code = book.code(wish.by.code_hash)
    return None if code is None else code.host


def _require_not_retired(book: EnrolmentBook, host: str) -> None:
    if book.host(host).retired:
        raise ServerError(
            Code.HOST_RETIRED,
            f"{host} is retired",
            hint="a machine that is used again is enrolled as a new host, with a new code",
        )


def _admitting(code: CodeRow | None, request: EnrolmentRequest, now_ms: int) -> CodeRow:
    """Return the code if it admits the request."""
    if code is None:
        raise unknown_code()
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
