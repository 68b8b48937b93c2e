"""Stored revocation lists: facts of their own, open unless something covers them."""

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from chipledger_evidence.gpu.errors import GpuCode
from chipledger_evidence.gpu.facts import EvidenceFacts, Fact, Level, level
from chipledger_evidence.gpu.verify import verify_evidence
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker, Link, key_of

NONCE = bytes(range(32))
GPU = GpuMaker(1)
ROOT, FAMILY, PROVISIONER, CHIP, SIGNER = GPU.links
DAY = timedelta(days=1)


def crl(
    issuer: Link,
    *revoked: Link,
    key: ec.EllipticCurvePrivateKey | None = None,
    age: timedelta = DAY,
    life: timedelta = 7 * DAY,
    partial: bool = False,
) -> bytes:
    """Return a list of `issuer`, DER."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate().subject)
        .last_update(NOW - age)
        .next_update(NOW - age + life)
    )
    for link in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(link.certificate().serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(NOW - age).build())
    if partial:
        builder = builder.add_extension(x509.DeltaCRLIndicator(1), critical=True)
    made = builder.sign(key or issuer.key, hashes.SHA384())
    return made.public_bytes(Encoding.DER)


def judged(crls: list[bytes] | None) -> EvidenceFacts:
    """Return the facts of good evidence beside these lists."""
    report, chain = GPU.evidence(NONCE)
    return verify_evidence(report, chain, nonce=NONCE, pins=PKI.pins, now=NOW, crls=crls)


def test_without_lists_revocation_is_not_checked() -> None:
    """Off by default; the other facts stand."""
    facts = judged(None)
    assert (facts.revocation, level(facts)) == (Fact.NOT_CHECKED, Level.CHIP_SIGNED)


def test_fresh_lists_of_root_and_family_pass() -> None:
    """They cover what they are published for: family and provisioner."""
    lists = [crl(ROOT), crl(FAMILY)]
    assert judged(lists).revocation is Fact.PASS
    assert judged(lists[::-1]).revocation is Fact.PASS


def test_lists_may_be_pem() -> None:
    """As some tools store them."""
    lists = [
        x509.load_der_x509_crl(raw).public_bytes(Encoding.PEM) for raw in (crl(ROOT), crl(FAMILY))
    ]
    assert judged(lists).revocation is Fact.PASS


@pytest.mark.parametrize("revoked", [FAMILY, PROVISIONER, CHIP, SIGNER])
def test_revoked_certificate_of_any_level_fails(revoked: Link) -> None:
    """And the evidence is worth nothing then."""
    assert revoked.issuer is not None
    facts = judged([crl(revoked.issuer, revoked)])
    assert (facts.revocation, level(facts)) == (Fact.FAIL, Level.NONE)
    assert facts.failure is not None
    assert facts.failure.code == GpuCode.REVOKED


def test_what_an_old_list_revoked_stays_revoked() -> None:
    """Only its silence grows stale."""
    assert judged([crl(ROOT, FAMILY, age=30 * DAY)]).revocation is Fact.FAIL


@pytest.mark.parametrize(
    "lists",
    [
        [],
        [b""],
        [b"-----BEGIN X509 CRL-----\nAA==\n-----END X509 CRL-----\n"],
        [crl(ROOT)],
        [crl(FAMILY)],
        [crl(ROOT).replace(b"\x02\x01\x01", b"\x02\x01\x05", 1)],  # of a version there is not
        [crl(ROOT), crl(FAMILY, age=30 * DAY)],
        [crl(ROOT), crl(FAMILY, age=-DAY)],
        [crl(ROOT), crl(FAMILY, partial=True)],
        [crl(ROOT), crl(FAMILY, key=key_of("not the issuer"))],
    ],
)
def test_level_that_no_fresh_whole_list_covers_stays_open(lists: list[bytes]) -> None:
    """Missing, stale, early, partial or forged lists prove no absence, and harm nothing."""
    facts = judged(lists)
    assert (facts.revocation, level(facts)) == (Fact.NOT_CHECKED, Level.CHIP_SIGNED)
    assert GpuCode.REVOCATION_UNKNOWN in {reason.code for reason in facts.reasons}


def test_forged_list_revokes_nothing() -> None:
    """A list counts by its issuer's signature."""
    assert judged([crl(ROOT, FAMILY, key=key_of("a rival"))]).revocation is Fact.NOT_CHECKED
