"""Reference manifests from a folder: believed only when their XML signature holds.

XMLDSig is left to `signxml`, an extra (``chipledger[manifests]``). A signature is checked against
the first certificate in it, whose chain must end in a pinned root and hold now; what is read is
what the signature covers. Formats: ISO/IEC 19770-2, TCG Reference Integrity Manifest.
"""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from chipledger_evidence.gpu.chain import UNREADABLE
from chipledger_evidence.gpu.manifests import Manifest, Stored, Unusable
from chipledger_evidence.gpu.roots import TrustAnchors

MAX_MANIFEST_BYTES: Final = 1024 * 1024
MOST_CERTIFICATES: Final = 8
MOST_INDEX: Final = 255
_DSIG: Final = "{http://www.w3.org/2000/09/xmldsig#}"
_SWID: Final = "{http://standards.iso.org/iso/19770/-2/2015/schema.xsd}"
_SHA384: Final = "{http://www.w3.org/2001/04/xmlenc#sha384}"
_DIGEST_BYTES: Final = 48
_REFUSED: tuple[type[Exception], ...] = (
    binascii.Error,
    InvalidSignature,
    x509.ExtensionNotFound,
    *UNREADABLE,
)
"""What a certificate raises that cannot be read, or that its issuer did not sign."""


class _UnusableError(Exception):
    """Why a file is no manifest to be believed."""


def read_manifests(
    files: Mapping[str, bytes], *, pins: TrustAnchors, now: datetime
) -> Mapping[str, Stored]:
    """Return what each file says, or why it cannot be believed. Never raises because of a file.

    Args:
        files: content by name.
        pins: root keys to believe.
        now: the time at which the chains must hold, aware.
    """
    return {name: _read(data, pins=pins, now=now) for name, data in files.items()}


def _read(data: bytes, *, pins: TrustAnchors, now: datetime) -> Stored:
    try:
        return _manifest(_signed(data, pins=pins, now=now))
    except _UnusableError as error:
        return Unusable(why=str(error))


def _signed(data: bytes, *, pins: TrustAnchors, now: datetime) -> Any:  # noqa: ANN401 - an element of lxml, which has no types
    """Return the XML that a believed signature covers."""
    try:
        # An extra that most auditors do without.
        from lxml import etree  # noqa: PLC0415
        from signxml.exceptions import SignXMLException  # noqa: PLC0415
        from signxml.verifier import XMLVerifier  # noqa: PLC0415
    except ImportError as error:
        raise _UnusableError("its signature needs chipledger[manifests]") from error
    if len(data) > MAX_MANIFEST_BYTES:
        raise _UnusableError(f"more than {MAX_MANIFEST_BYTES} bytes")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        tree = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _UnusableError("not XML") from error
    chain = _chain(tree)
    _check(chain, pins=pins, now=now)
    try:
        result = XMLVerifier().verify(
            tree, x509_cert=chain[0], parser=parser, expect_config=_expected(now)
        )
    except (SignXMLException, etree.LxmlError, ValueError) as error:
        raise _UnusableError("its signature does not hold") from error
    signed = result[0] if isinstance(result, list) else result
    if signed.signed_xml is None:
        raise _UnusableError("its signature covers no element")
    return signed.signed_xml


def _expected(now: datetime) -> Any:  # noqa: ANN401 - known only where the extra is
    """Return the one form of signature that is taken: ECDSA and SHA-384 over the whole document."""
    from signxml.algorithms import DigestAlgorithm, SignatureMethod  # noqa: PLC0415
    from signxml.verifier import SignatureConfiguration  # noqa: PLC0415

    return SignatureConfiguration(
        require_x509=True,
        expect_references=1,
        signature_methods=frozenset({SignatureMethod.ECDSA_SHA384}),
        digest_algorithms=frozenset({DigestAlgorithm.SHA384}),
        verification_time=now,
    )


def _chain(tree: Any) -> Sequence[x509.Certificate]:  # noqa: ANN401 - an element of lxml
    """Return the certificates beside the signature, in their order: signer first."""
    texts = [element.text or "" for element in tree.iter(f"{_DSIG}X509Certificate")]
    if not 1 < len(texts) <= MOST_CERTIFICATES:
        raise _UnusableError(f"{len(texts)} certificates beside its signature")
    try:
        return [
            x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))
            for text in texts
        ]
    except _REFUSED as error:
        raise _UnusableError("a certificate of its signer cannot be read") from error


def _check(chain: Sequence[x509.Certificate], *, pins: TrustAnchors, now: datetime) -> None:
    """Return only if each certificate is issued by the next, the last is pinned, and all hold."""
    root = (
        chain[-1]
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    if not pins.holds(hashlib.sha256(root).hexdigest()):
        raise _UnusableError("its signer's chain ends in a root that is not pinned")
    for place, certificate in enumerate(chain):
        try:
            certificate.verify_directly_issued_by(chain[min(place + 1, len(chain) - 1)])
            usable = _usable(certificate, signer=not place)
        except _REFUSED as error:
            raise _UnusableError("its signer's chain does not hold") from error
        if not usable:
            raise _UnusableError("a certificate of its signer may not be used so")
        if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
            until = certificate.not_valid_after_utc.date()
            raise _UnusableError(f"a certificate of its signer holds until {until}, not now")


def _usable(certificate: x509.Certificate, *, signer: bool) -> bool:
    """Tell whether a certificate is for signing manifests, or for certificates of those who do."""
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    constraints = [
        extension.value.ca
        for extension in certificate.extensions
        if isinstance(extension.value, x509.BasicConstraints)
    ]
    if signer:
        return usage.digital_signature and True not in constraints
    return usage.key_cert_sign and True in constraints


def _manifest(tag: Any) -> Manifest:  # noqa: ANN401 - an element of lxml
    """Return what a signed SWID tag says."""
    meta = tag.findall(f"{_SWID}Meta")
    if tag.tag != f"{_SWID}SoftwareIdentity" or len(meta) != 1:
        raise _UnusableError("not a reference manifest")
    golden: dict[int, frozenset[bytes]] = {}
    for resource in tag.findall(f"{_SWID}Payload/{_SWID}Resource"):
        if resource.get("type") == "Measurement" and resource.get("active") == "True":
            index, digests = _resource(resource)
            if index in golden:
                raise _UnusableError(f"measurement {index} is there twice")
            golden[index] = digests
    if not golden:
        raise _UnusableError("it names no measurements")
    return Manifest(
        version=meta[0].get("colloquialVersion", ""),
        product=meta[0].get("product", ""),
        golden=golden,
    )


def _resource(resource: Any) -> tuple[int, frozenset[bytes]]:  # noqa: ANN401 - an element of lxml
    """Return the index of a measurement and the digests of which one must be there."""
    try:
        index, count = int(resource.get("index", "")), int(resource.get("alternatives", ""))
        if not (0 <= index <= MOST_INDEX and 1 <= count <= MOST_INDEX):
            raise _UnusableError(f"measurement {index} with {count} values")
        found = [
            bytes.fromhex(resource.get(f"{_SHA384}Hash{number}", "")) for number in range(count)
        ]
    except ValueError as error:
        raise _UnusableError("a measurement cannot be read") from error
    if any(len(digest) != _DIGEST_BYTES for digest in found):
        raise _UnusableError(f"measurement {index} is no SHA-384")
    return index, frozenset(found)
