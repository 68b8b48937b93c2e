"""What a TPM says, checked against recordings of one: names, statements, credentials, makers."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from chipledger_evidence.errors import Code, EvidenceError
from chipledger_evidence.tpm.attest import (
    Attest,
    check_certify,
    check_quote,
    parse_attest,
    parse_signature,
)
from chipledger_evidence.tpm.credential import make_credential
from chipledger_evidence.tpm.endorsement import EkStanding, check_endorsement, root_of
from chipledger_evidence.tpm.public import (
    Public,
    parse_public,
    require_attestation_key,
    require_endorsement_key,
    require_signing_key,
)
from chipledger_evidence.tpm.roots import VENDOR_ROOTS

if TYPE_CHECKING:
    from collections.abc import Callable

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "vectors" / "tpm.json").read_text("utf-8")
)
THEN = datetime(2026, 11, 24, tzinfo=UTC)
RSA, ECC = VECTORS["rsa"], VECTORS["ecc"]
BOTH = pytest.mark.parametrize("vector", [RSA, ECC], ids=["rsa", "ecc"])


def octets(text: str) -> bytes:
    """Return the bytes of a vector's hex."""
    return bytes.fromhex(text)


def public(vector: dict[str, Any], name: str) -> Public:
    """Return a key of a vector."""
    return parse_public(octets(vector[name]))


def statement(vector: dict[str, Any], name: str) -> tuple[bytes, bytes]:
    """Return a statement of a vector, and its signature."""
    return octets(vector[name]["attest"]), octets(vector[name]["signature"])


def registers(vector: dict[str, Any]) -> dict[int, bytes]:
    """Return the registers that a vector's quote selects."""
    return {int(number): octets(text) for number, text in vector["quote"]["registers"].items()}


def quote(vector: dict[str, Any], **changes: Any) -> Attest:  # noqa: ANN401 - any argument
    """Check a vector's quote, with something changed."""
    data, signature = statement(vector, "quote")
    given_: dict[str, Any] = {
        "data": data,
        "signature": signature,
        "registers": registers(vector),
        "extra": octets(vector["extra"]),
        **changes,
    }
    return check_quote(
        given_["data"],
        given_["signature"],
        attestation_key=public(vector, "ak"),
        registers=given_["registers"],
        extra=given_["extra"],
    )


@BOTH
@pytest.mark.parametrize("name", ["ek", "ak", "key"])
def test_a_name_is_what_the_tpm_says_it_is(vector: dict[str, Any], name: str) -> None:
    """Computed from the public area, equal to the TPM's own."""
    assert public(vector, name).name == octets(vector["names"][name])


@BOTH
def test_each_key_is_fit_for_its_purpose_and_for_no_other(vector: dict[str, Any]) -> None:
    """Restricted decryption, restricted signing and plain signing exclude each other."""
    demands: dict[str, Callable[[Public], None]] = {
        "ek": require_endorsement_key,
        "ak": require_attestation_key,
        "key": require_signing_key,
    }
    for name, demand in demands.items():
        demand(public(vector, name))
        for other in demands.keys() - {name}:
            with pytest.raises(EvidenceError) as caught:
                demand(public(vector, other))
            assert caught.value.code is Code.TPM_KEY_ATTRIBUTES


@BOTH
@pytest.mark.parametrize(
    "bit", [1, 4, 5, 16, 18], ids=["fixedTPM", "fixedParent", "origin", "restricted", "sign"]
)
def test_an_attestation_key_lacks_no_attribute(vector: dict[str, Any], bit: int) -> None:
    """Without any one of the five, it could leave its TPM or sign what the TPM never said."""
    area = bytearray(octets(vector["ak"]))
    attributes = int.from_bytes(area[4:8]) & ~(1 << bit)
    area[4:8] = attributes.to_bytes(4)
    with pytest.raises(EvidenceError, match="tpm-key-attributes"):
        require_attestation_key(parse_public(bytes(area)))


@BOTH
def test_a_certified_key_is_in_the_tpm(vector: dict[str, Any]) -> None:
    """The TPM's statement names the signing key and includes what was asked."""
    data, signature = statement(vector, "certify")
    attest = check_certify(
        data,
        signature,
        attestation_key=public(vector, "ak"),
        key=public(vector, "key"),
        extra=octets(vector["extra"]),
    )
    assert attest.clock.reset_count > 0
    with pytest.raises(EvidenceError, match="tpm-statement-mismatch"):
        check_certify(
            data,
            signature,
            attestation_key=public(vector, "ak"),
            key=public(vector, "ak"),
            extra=octets(vector["extra"]),
        )


@BOTH
def test_a_quote_is_over_these_registers_and_this_occasion(vector: dict[str, Any]) -> None:
    """Another value, a register less, or another occasion is refused."""
    assert quote(vector).extra == octets(vector["extra"])
    seen = registers(vector)
    for changed in ({**seen, 0: bytes(31) + b"\x01"}, {k: v for k, v in seen.items() if k}):
        with pytest.raises(EvidenceError, match="tpm-statement-mismatch"):
            quote(vector, registers=changed)
    with pytest.raises(EvidenceError, match="tpm-statement-mismatch"):
        quote(vector, extra=hashlib.sha256(b"another").digest())


def test_a_certify_is_no_quote() -> None:
    """A statement of one kind is not taken for the other, though the signature is good."""
    data, signature = statement(RSA, "certify")
    with pytest.raises(EvidenceError, match="tpm-statement-mismatch"):
        quote(RSA, data=data, signature=signature)


@pytest.mark.parametrize("name", ["certify", "quote"])
def test_every_flipped_bit_of_a_statement_is_refused(name: str) -> None:
    """No octet of a statement is free: the signature is over all of them."""
    data, signature = statement(ECC, name)
    for place in range(len(data)):
        changed = bytearray(data)
        changed[place] ^= 1
        with pytest.raises(EvidenceError):
            quote(ECC, data=bytes(changed), signature=signature)


@BOTH
def test_a_credential_is_made_as_the_tpm_opened_it(vector: dict[str, Any]) -> None:
    """The recorded TPM opened these very bytes; RSA-OAEP is random, so only its form is fixed."""
    made = make_credential(
        octets(vector["credential"]["secret"]),
        key=public(vector, "ek"),
        name=octets(vector["names"]["ak"]),
        entropy=lambda count: hashlib.shake_128(b"entropy").digest(count),
    )
    assert made.blob == octets(vector["credential"]["blob"])
    if vector is ECC:
        assert made.seed == octets(vector["credential"]["seed"])
    assert len(made.seed) == len(octets(vector["credential"]["seed"]))


def standing(certificate: bytes | None, **changes: Any) -> EkStanding:  # noqa: ANN401 - same
    """Return what a certificate proves of the recorded RSA endorsement key."""
    issuer = x509.load_der_x509_certificate(octets(RSA["issuer"]))
    facts = check_endorsement(
        public(RSA, "ek"),
        certificate,
        **{"roots": (root_of(issuer, vendor="test", source="-"),), "now": THEN, **changes},
    )
    return facts.standing


def test_a_certificate_leads_to_its_pinned_issuer() -> None:
    """Directly, or over a certificate that came with it; the padding of TPM memory is no harm."""
    certificate = octets(RSA["certificate"])
    assert standing(certificate) is EkStanding.VERIFIED
    assert standing(certificate + bytes(64)) is EkStanding.VERIFIED
    root = x509.load_der_x509_certificate(octets(RSA["root"]))
    above = (root_of(root, vendor="test", source="-"),)
    assert standing(certificate, roots=above) is EkStanding.UNKNOWN_ISSUER
    assert standing(certificate, roots=above, chain=(octets(RSA["issuer"]),)) is EkStanding.VERIFIED


def test_what_is_not_proven_is_named() -> None:
    """No certificate, one that cannot be read, one of nobody pinned, one out of its time."""
    certificate = octets(RSA["certificate"])
    assert standing(None) is EkStanding.ABSENT
    assert standing(b"no certificate") is EkStanding.UNREADABLE
    assert standing(octets(VECTORS["unreadable_certificate"])) is EkStanding.UNREADABLE
    assert standing(certificate, roots=VENDOR_ROOTS) is EkStanding.UNKNOWN_ISSUER
    early = datetime(2000, 1, 1, tzinfo=UTC)
    assert standing(certificate, now=early) is EkStanding.EXPIRED


def test_a_certificate_of_another_key_is_refused() -> None:
    """It is genuine, and says nothing of this endorsement key."""
    with pytest.raises(EvidenceError, match="ek-mismatch"):
        check_endorsement(public(ECC, "ek"), octets(RSA["certificate"]), roots=(), now=THEN)


def test_a_certificate_that_names_a_pinned_issuer_must_be_signed_by_it() -> None:
    """The name of a maker is free for everybody; its signature is not."""
    issuer = x509.load_der_x509_certificate(octets(RSA["issuer"]))
    other = x509.load_der_x509_certificate(octets(RSA["root"]))
    pinned = root_of(issuer, vendor="test", source="-")
    forged = type(pinned)(
        vendor="test",
        subject=pinned.subject,
        spki=root_of(other, vendor="-", source="-").spki,
        source="-",
    )
    with pytest.raises(EvidenceError, match="ek-certificate-forged"):
        standing(octets(RSA["certificate"]), roots=(forged,))


def test_the_shipped_issuers_are_keys_with_provenance() -> None:
    """Every pin holds a name, a key that can be loaded, and where it was taken from."""
    assert len({root.spki for root in VENDOR_ROOTS}) == len(VENDOR_ROOTS)
    for root in VENDOR_ROOTS:
        serialization.load_der_public_key(root.spki)
        assert "2026-11-23" in root.source


@given(st.binary(max_size=400))
def test_no_octets_crash_a_parser(data: bytes) -> None:
    """Anything is parsed or refused with a code of ours."""
    for parse in (parse_public, parse_attest, parse_signature):
        assert refusal(parse, data) in {None, Code.MALFORMED_TPM}


@given(st.sampled_from(["ek", "ak", "key"]), st.integers(0, 400), st.integers(0, 255))
def test_a_changed_public_area_is_refused_or_has_another_name(
    name: str, place: int, octet: int
) -> None:
    """There is no second spelling of a key."""
    area = bytearray(octets(RSA[name]))
    before = bytes(area)
    area[place % len(area)] = octet
    refused = refusal(parse_public, bytes(area))
    assert refused in {None, Code.MALFORMED_TPM}
    if refused is None:
        same = parse_public(bytes(area)).name == parse_public(before).name
        assert same == (bytes(area) == before)


def refusal(parse: "Callable[[bytes], object]", data: bytes) -> Code | None:
    """Return the code with which a parser refuses something, or None."""
    try:
        parse(data)
    except EvidenceError as error:
        return error.code
    return None
