"""NVIDIA device certificate chains: five certificates from a pinned root to the signing key.

Five exactly, in any order: root (L1), family (L2), provisioner (L3), the chip (L4, made at the
factory, names the PDI) and the signing key of this boot (L5). With a fixed shape there is no path
to be found, only one to be checked (RFC 5280 section 6.1 without policies and name constraints,
whose presence refuses the chain as an unknown critical extension).
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from chipledger_evidence.gpu.errors import GpuCode, GpuEvidenceError
from chipledger_evidence.gpu.roots import TrustAnchors

_T = TypeVar("_T", bound=x509.ExtensionType)

MAX_CHAIN_BYTES = 16 * 1024
CERTIFICATES = 5
ROOT, FAMILY, PROVISIONER, CHIP, SIGNER = range(CERTIFICATES)
LEVELS = ("root (L1)", "family (L2)", "provisioner (L3)", "chip (L4)", "signing key (L5)")

_MOST_SERIAL_OCTETS = 20
"""RFC 5280 section 4.1.2.2."""

_BLOCK = rb"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----\s*"
_PEM = re.compile(rb"\s*(?:" + _BLOCK + rb")+")
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_UNDERSTOOD = frozenset({ExtensionOID.BASIC_CONSTRAINTS, ExtensionOID.KEY_USAGE})
"""Critical extensions that are looked at here; any other critical one refuses the chain."""

UNREADABLE: tuple[type[Exception], ...] = (
    ValueError,
    TypeError,
    OverflowError,
    UnsupportedAlgorithm,
    Warning,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for a certificate or list that it cannot read; a warning raised as an
error, as in a test run, speaks of such a thing too."""

_NOT_SIGNED: tuple[type[Exception], ...] = (InvalidSignature, *UNREADABLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """One certificate of a chain, every part that is used read once.

    Attributes:
        name: subject common name, empty when there is not exactly one.
        serial: serial number as in DER, big-endian without leading zeros.
        key: its public key, on P-384.
        spki_sha256: SHA-256 of its SubjectPublicKeyInfo.
        spki: the SubjectPublicKeyInfo, DER.
        cert: the certificate itself.
        extensions: its extensions.
    """

    name: str
    serial: bytes
    key: ec.EllipticCurvePublicKey
    spki: bytes
    spki_sha256: bytes
    cert: x509.Certificate
    extensions: x509.Extensions


def read_chain(pem: bytes) -> tuple[Certificate, ...]:
    """Return the five certificates, root first, whatever their order in the file.

    That each names the next as its issuer is all this says: see :func:`check_chain`.

    Raises:
        GpuEvidenceError: `chain-too-large`, `chain-malformed`, `chain-wrong-count`,
            `chain-wrong-algorithm` or `chain-not-linked`.
    """
    if len(pem) > MAX_CHAIN_BYTES:
        raise GpuEvidenceError(
            GpuCode.CHAIN_TOO_LARGE, f"{len(pem)} bytes of chain, at most {MAX_CHAIN_BYTES}"
        )
    if not _PEM.fullmatch(pem):
        raise GpuEvidenceError(
            GpuCode.CHAIN_MALFORMED, "the chain is not PEM certificates and nothing else"
        )
    if (count := pem.count(_BEGIN)) != CERTIFICATES:
        raise GpuEvidenceError(
            GpuCode.CHAIN_WRONG_COUNT, f"{count} certificates, a device has {CERTIFICATES}"
        )
    try:
        certificates = [_certificate(found) for found in x509.load_pem_x509_certificates(pem)]
        return _in_order(certificates)
    except UNREADABLE as error:
        raise GpuEvidenceError(
            GpuCode.CHAIN_MALFORMED, f"a certificate could not be read: {error}"
        ) from error


def check_chain(chain: Sequence[Certificate], *, pins: TrustAnchors, now: datetime) -> None:
    """Return only if the chain proves its last key: usages, dates, root key, every signature.

    Args:
        chain: five certificates, root first, as :func:`read_chain` returns them.
        pins: root keys to believe.
        now: the time at which the chain must hold, aware.

    Raises:
        GpuEvidenceError: `chain-wrong-usage`, `chain-not-valid-now`, `chain-wrong-root` or
            `chain-bad-signature`.
    """
    for level, certificate in enumerate(chain):
        try:
            _check_usage(level, certificate)
            _check_dates(level, certificate, now)
        except UNREADABLE as error:
            raise GpuEvidenceError(
                GpuCode.CHAIN_MALFORMED, f"{LEVELS[level]} could not be read: {error}"
            ) from error
    if not pins.holds(chain[ROOT].spki_sha256.hex()):
        raise GpuEvidenceError(
            GpuCode.CHAIN_WRONG_ROOT,
            f"the chain ends in key {chain[ROOT].spki_sha256.hex()}, which is not pinned",
        )
    for level, certificate in enumerate(chain):
        issuer = chain[max(level - 1, ROOT)]
        # The upper three are the same for thousands of chips; what their bytes prove is kept.
        signed_by = _signed_by if level > PROVISIONER else _known_signed_by
        if not signed_by(certificate.cert, issuer.cert):
            raise GpuEvidenceError(
                GpuCode.CHAIN_BAD_SIGNATURE, f"{LEVELS[level]} is not signed by its issuer"
            )


def _certificate(found: x509.Certificate) -> Certificate:
    key = found.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP384R1):
        raise GpuEvidenceError(GpuCode.CHAIN_WRONG_ALGORITHM, "a key that is not on P-384")
    if found.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA384:
        raise GpuEvidenceError(
            GpuCode.CHAIN_WRONG_ALGORITHM, "a signature that is not ECDSA with SHA-384"
        )
    if not 0 < found.serial_number < 1 << 8 * _MOST_SERIAL_OCTETS:
        raise GpuEvidenceError(
            GpuCode.CHAIN_MALFORMED, "a serial number that is not positive, or over 20 octets"
        )
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    spki = key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return Certificate(
        name=str(names[0].value) if len(names) == 1 else "",
        serial=found.serial_number.to_bytes((found.serial_number.bit_length() + 7) // 8),
        key=key,
        spki=spki,
        spki_sha256=hashlib.sha256(spki).digest(),
        cert=found,
        extensions=found.extensions,
    )


def _in_order(certificates: list[Certificate]) -> tuple[Certificate, ...]:
    roots = [each for each in certificates if each.cert.subject == each.cert.issuer]
    if len(roots) != 1:
        raise GpuEvidenceError(
            GpuCode.CHAIN_NOT_LINKED, f"{len(roots)} certificates name themselves as issuer"
        )
    ordered = roots
    left = [each for each in certificates if each is not roots[0]]
    while left:
        below = [each for each in left if each.cert.issuer == ordered[-1].cert.subject]
        if len(below) != 1:
            raise GpuEvidenceError(
                GpuCode.CHAIN_NOT_LINKED,
                f"{len(below)} certificates name {ordered[-1].name!r} as issuer, not one",
            )
        ordered.append(below[0])
        left.remove(below[0])
    return tuple(ordered)


def _check_usage(level: int, certificate: Certificate) -> None:
    unknown = [e.oid for e in certificate.extensions if e.critical and e.oid not in _UNDERSTOOD]
    if unknown:
        raise _wrong_usage(level, f"has a critical extension {unknown[0].dotted_string}")
    constraints = _extension(certificate, x509.BasicConstraints)
    usage = _extension(certificate, x509.KeyUsage)
    if usage is None:
        raise _wrong_usage(level, "does not state what its key is for")
    if level == SIGNER:
        # RFC 5280 4.2.1.3: no certificate may follow it, and its key signs statements.
        if (constraints and constraints.ca) or usage.key_cert_sign or not usage.digital_signature:
            raise _wrong_usage(level, "is not for signing statements alone")
        return
    if constraints is None or not constraints.ca or not usage.key_cert_sign:
        raise _wrong_usage(level, "may not sign certificates")
    below = SIGNER - 1 - level
    if constraints.path_length is not None and constraints.path_length < below:
        raise _wrong_usage(
            level, f"allows {constraints.path_length} authorities below, not {below}"
        )


def _check_dates(level: int, certificate: Certificate, now: datetime) -> None:
    found = certificate.cert
    if not found.not_valid_before_utc <= now <= found.not_valid_after_utc:
        raise GpuEvidenceError(
            GpuCode.CHAIN_NOT_VALID_NOW,
            f"{LEVELS[level]} is valid from {found.not_valid_before_utc:%Y-%m-%d}"
            f" to {found.not_valid_after_utc:%Y-%m-%d}",
        )


def _wrong_usage(level: int, what: str) -> GpuEvidenceError:
    return GpuEvidenceError(GpuCode.CHAIN_WRONG_USAGE, f"{LEVELS[level]} {what}")


def _extension(certificate: Certificate, kind: type[_T]) -> _T | None:
    try:
        value: _T = certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
    return value


def _signed_by(child: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        child.verify_directly_issued_by(issuer)
    except _NOT_SIGNED:
        return False
    return True


_known_signed_by = lru_cache(maxsize=64)(_signed_by)
