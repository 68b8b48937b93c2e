"""EK certificates: who says that an endorsement key sits in a genuine TPM.

Checked once, at enrolment, against pinned issuers (TCG EK Credential Profile for TPM 2.0). Real
EK certificates break strict parsers; such a one is kept raw and marked, and proves nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.tpm.public import Public

MAX_CERTIFICATES: Final = 8
_MAX_DEPTH: Final = 5
_TCG_EK_USE: Final = x509.ObjectIdentifier("2.23.133.8.1")
_UNREADABLE: Final = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension)
# TCG EK Credential Profile 3.2.9: the subject alternative name carries these.
_TCG_NAMES: Final = ("2.23.133.2.1", "2.23.133.2.2", "2.23.133.2.3")


class EkStanding(StrEnum):
    """What is known of a host's endorsement key."""

    VERIFIED = "verified"
    ABSENT = "absent"
    UNREADABLE = "unreadable"
    UNKNOWN_ISSUER = "unknown-issuer"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class EkRoot:
    """A pinned issuer of EK certificates: a trust anchor of RFC 5280 section 6.1.1 (d).

    Attributes:
        vendor: the TPM's maker.
        subject: DER of its distinguished name.
        spki: DER of its public key.
        source: where name and key were taken from, and on which day.
    """

    vendor: str
    subject: bytes
    spki: bytes
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EkFacts:
    """What an EK certificate says, and what was proven of it.

    Attributes:
        standing: what was proven.
        vendor: maker of the pinned issuer, where one was reached.
        model: manufacturer, model and version as the certificate names the TPM.
    """

    standing: EkStanding
    vendor: str | None = None
    model: str | None = None


def root_of(certificate: x509.Certificate, *, vendor: str, source: str) -> EkRoot:
    """Return the trust anchor that a certificate describes."""
    return EkRoot(
        vendor=vendor,
        subject=certificate.subject.public_bytes(),
        spki=_spki(certificate),
        source=source,
    )


def check_endorsement(
    key: Public,
    certificate: bytes | None,
    *,
    chain: Sequence[bytes] = (),
    roots: Sequence[EkRoot],
    now: datetime,
) -> EkFacts:
    """Return what an EK certificate proves of an endorsement key.

    Args:
        key: the endorsement key's public area.
        certificate: DER as read from the TPM; trailing octets are a common fault of makers and
            are left out where the DER's own length says so.
        chain: DER of further certificates, in any order; only signatures make them count.
        roots: pinned issuers.
        now: when the check is made; validity periods are held against it.

    Raises:
        EvidenceError: `ek-mismatch` when it is readable and of another key;
            `ek-certificate-forged` when it names a pinned issuer that did not sign it.
    """
    if certificate is None:
        return EkFacts(standing=EkStanding.ABSENT)
    try:
        leaf = x509.load_der_x509_certificate(_trimmed(certificate))
        model, is_ek = _tcg_names(leaf), _is_ek(leaf)
        same = _spki(leaf) == key.spki
    except _UNREADABLE:
        return EkFacts(standing=EkStanding.UNREADABLE)
    if not same:
        raise EvidenceError(
            Code.EK_MISMATCH, "the EK certificate is of another key than the endorsement key"
        )
    if not is_ek:
        return EkFacts(standing=EkStanding.UNREADABLE, model=model)
    return _standing(_path(leaf, _loaded(chain), roots), model, now)


def _standing(
    path: tuple[EkRoot, Sequence[x509.Certificate]] | None, model: str | None, now: datetime
) -> EkFacts:
    if path is None:
        return EkFacts(standing=EkStanding.UNKNOWN_ISSUER, model=model)
    root, certificates = path
    current = all(
        one.not_valid_before_utc <= now <= one.not_valid_after_utc for one in certificates
    )
    standing = EkStanding.VERIFIED if current else EkStanding.EXPIRED
    return EkFacts(standing=standing, vendor=root.vendor, model=model)


def _path(
    leaf: x509.Certificate, others: Sequence[x509.Certificate], roots: Sequence[EkRoot]
) -> tuple[EkRoot, Sequence[x509.Certificate]] | None:
    """Return the pinned issuer that a chain of signatures leads to, with the chain.

    Each certificate is followed once, so that many of one name cost no more than few.
    """
    unseen = list(others)
    paths: list[list[x509.Certificate]] = [[leaf]]
    forged = False
    while paths:
        path = paths.pop()
        last = path[-1]
        for root in roots:
            if root.subject != last.issuer.public_bytes():
                continue
            if _signed_by(last, serialization.load_der_public_key(root.spki)):
                return root, path
            forged = forged or last is leaf
        if len(path) < _MAX_DEPTH:
            above = [one for one in unseen if one.subject == last.issuer and _issues(one, last)]
            unseen = [one for one in unseen if one not in above]
            paths += [[*path, one] for one in above]
    if forged:
        raise EvidenceError(
            Code.EK_CERTIFICATE_FORGED, "the EK certificate's issuer did not sign it"
        )
    return None


def _issues(issuer: x509.Certificate, issued: x509.Certificate) -> bool:
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        return constraints.ca and _signed_by(issued, issuer.public_key())
    except (*_UNREADABLE, x509.ExtensionNotFound):
        return False


def _signed_by(issued: x509.Certificate, key: object) -> bool:
    algorithm = issued.signature_hash_algorithm
    if algorithm is None:
        return False
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            rule = ec.ECDSA(algorithm)
            key.verify(issued.signature, issued.tbs_certificate_bytes, rule)
            return True
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(
                issued.signature, issued.tbs_certificate_bytes, padding.PKCS1v15(), algorithm
            )
            return True
    except (InvalidSignature, UnsupportedAlgorithm):
        return False
    return False


def _loaded(chain: Sequence[bytes]) -> list[x509.Certificate]:
    loaded = []
    for one in chain[:MAX_CERTIFICATES]:
        try:
            loaded.append(x509.load_der_x509_certificate(_trimmed(one)))
        except _UNREADABLE:
            continue  # what cannot be read cannot help
    return loaded


def _trimmed(data: bytes) -> bytes:
    """Return the DER object at the front: TPM memory is often larger than the certificate."""
    long_form = 0x82
    if len(data) > 4 and data[0] == 0x30 and data[1] == long_form:  # noqa: PLR2004 - DER's head
        return data[: 4 + int.from_bytes(data[2:4])]
    return data


def _spki(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _is_ek(leaf: x509.Certificate) -> bool:
    """Tell whether the certificate is one of an endorsement key, as far as it says anything."""
    extensions = leaf.extensions
    try:
        if extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
    except x509.ExtensionNotFound:
        pass
    try:
        return _TCG_EK_USE in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return True


def _tcg_names(leaf: x509.Certificate) -> str | None:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    said = {
        attribute.oid.dotted_string: str(attribute.value)
        for name in names.get_values_for_type(x509.DirectoryName)
        for attribute in name
    }
    found = [said[oid] for oid in _TCG_NAMES if oid in said]
    return " ".join(found)[:256] or None
