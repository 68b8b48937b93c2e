"""Stored certificate revocation lists held against a chain (RFC 5280 section 5)."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509

from chipledger_evidence.gpu.chain import (
    FAMILY,
    LEVELS,
    PROVISIONER,
    UNREADABLE,
    Certificate,
)
from chipledger_evidence.gpu.errors import GpuCode, GpuEvidenceError

MAX_CRL_BYTES = 16 * 1024 * 1024

_COVERED = range(FAMILY, PROVISIONER + 1)
"""Levels whose issuers publish lists; for chips (L4) there is an online responder only."""


def check_revocation(chain: Sequence[Certificate], crls: Sequence[bytes], *, now: datetime) -> None:
    """Return only if family and provisioner are covered by fresh lists and nothing is revoked.

    A list counts when the issuer signed it and, for *not* revoked, when it is fresh and whole;
    what an old list revoked stays revoked.

    Args:
        chain: five certificates, root first.
        crls: stored lists, DER or PEM.
        now: the time at which lists must be fresh, aware.

    Raises:
        GpuEvidenceError: `certificate-revoked`, or `revocation-unknown` when a level is not
            covered.
    """
    lists = [crl for crl in (_load(raw) for raw in crls) if crl is not None]
    open_levels = []
    for level in range(FAMILY, len(chain)):
        issued = [crl for crl in lists if _is_of(crl, chain[level - 1])]
        serial = chain[level].cert.serial_number
        if any(_revokes(crl, serial) for crl in issued):
            raise GpuEvidenceError(
                GpuCode.REVOKED, f"{LEVELS[level]}, serial {serial:x}, was revoked by its issuer"
            )
        if level in _COVERED and not any(_is_fresh(crl, now) for crl in issued):
            open_levels.append(LEVELS[level])
    if open_levels:
        raise GpuEvidenceError(
            GpuCode.REVOCATION_UNKNOWN,
            f"no fresh stored list of its issuer covers {', '.join(open_levels)}",
        )


def _load(raw: bytes) -> x509.CertificateRevocationList | None:
    load = x509.load_pem_x509_crl if raw.lstrip().startswith(b"-----") else x509.load_der_x509_crl
    try:
        return load(raw) if len(raw) <= MAX_CRL_BYTES else None
    except UNREADABLE:
        return None


def _is_of(crl: x509.CertificateRevocationList, issuer: Certificate) -> bool:
    try:
        return crl.issuer == issuer.cert.subject and crl.is_signature_valid(issuer.key)
    except UNREADABLE:
        return False


def _revokes(crl: x509.CertificateRevocationList, serial: int) -> bool:
    try:
        return crl.get_revoked_certificate_by_serial_number(serial) is not None
    except UNREADABLE as error:
        raise GpuEvidenceError(
            GpuCode.REVOCATION_UNKNOWN, f"a list that its issuer signed cannot be read: {error}"
        ) from error


def _is_fresh(crl: x509.CertificateRevocationList, now: datetime) -> bool:
    try:
        # A critical extension makes a list partial, indirect or a delta: no proof of absence.
        whole = not any(extension.critical for extension in crl.extensions)
        since, until = crl.last_update_utc, crl.next_update_utc
    except UNREADABLE:
        return False
    return whole and until is not None and since <= now <= until
