"""Chains that are not what they should be are refused, each for its own reason."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from chipledger_evidence.codec import decode_strict, encode_canonical
from chipledger_evidence.gpu.device import DeviceClass, Rot
from chipledger_evidence.gpu.errors import GpuCode
from chipledger_evidence.gpu.facts import EvidenceFacts, Fact, Level, level
from chipledger_evidence.gpu.roots import NVIDIA
from chipledger_evidence.gpu.verify import verify_evidence
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker, Link, Pki, Shape, der, key_of, pem_of

NONCE = bytes(range(32))
GPU = GpuMaker(1)
LEVELS = range(5)
PRIVATE_OID = x509.ObjectIdentifier("1.3.6.1.4.1.99999.1")


def judged(chain: bytes, *, maker: GpuMaker = GPU, now: datetime = NOW) -> EvidenceFacts:
    """Return the facts of a good report beside `chain`."""
    return verify_evidence(maker.report(NONCE), chain, nonce=NONCE, pins=PKI.pins, now=now)


def code_of(facts: EvidenceFacts) -> str:
    """Return why the chain was refused, after checking that nothing is worth anything."""
    assert facts.chain is Fact.FAIL
    assert level(facts) is Level.NONE
    assert facts.failure is not None
    return facts.failure.code


def changed(place: int, **changes: object) -> bytes:
    """Return the GPU's chain with another certificate at one level, those below re-issued."""
    links = list(GPU.links)
    links[place] = replace(links[place], **changes)  # type: ignore[arg-type]
    for below in range(place + 1, len(links)):
        links[below] = replace(links[below], issuer=links[below - 1])
    return pem_of(links)


def blocks(chain: bytes) -> list[bytes]:
    """Return the PEM blocks."""
    return [b"-----BEGIN" + part for part in chain.split(b"-----BEGIN")[1:]]


@pytest.mark.parametrize("shape", [s for s in Shape if s not in {Shape.SWITCH, Shape.EROT}])
def test_every_shape_of_gpu_is_chip_signed(shape: Shape) -> None:
    """Hopper, Blackwell by GSP and by FSP, and RTX."""
    maker = GpuMaker(7, shape)
    report, chain = maker.evidence(NONCE)
    facts = verify_evidence(report, chain, nonce=NONCE, pins=PKI.pins, now=NOW)
    assert (facts.device_class, facts.pdi, level(facts)) == (
        DeviceClass.GPU,
        maker.pdi,
        Level.CHIP_SIGNED,
    )
    assert facts.die == shape[:5]


def test_two_roots_of_trust_of_one_chip_have_one_pdi() -> None:
    """The GSP's and the FSP's chain name one chip by two factory keys."""
    gsp, fsp = (
        verify_evidence(*GpuMaker(3, shape).evidence(NONCE), nonce=NONCE, pins=PKI.pins, now=NOW)
        for shape in (Shape.BLACKWELL, Shape.BLACKWELL_FSP)
    )
    assert (gsp.rot, fsp.rot) == (Rot.GSP, Rot.FSP)
    assert gsp.pdi == fsp.pdi
    assert gsp.l4_key != fsp.l4_key


@pytest.mark.parametrize("order", [(4, 3, 2, 1, 0), (1, 0, 4, 2, 3), (2, 3, 1, 4, 0)])
def test_order_in_the_file_says_nothing(order: tuple[int, ...]) -> None:
    """Some firmware lists the root first: facts are the same."""
    held = blocks(GPU.chain())
    assert judged(b"".join(held[place] for place in order)) == judged(GPU.chain())


@pytest.mark.parametrize("shape", Shape)
def test_root_of_another_maker_is_refused(shape: Shape) -> None:
    """The same names under another key are not the maker's; nor is our test root NVIDIA's."""
    other = GpuMaker(1, shape, pki=Pki(seed="somebody else"))
    facts = verify_evidence(*other.evidence(NONCE), nonce=NONCE, pins=PKI.pins, now=NOW)
    assert code_of(facts) == GpuCode.CHAIN_WRONG_ROOT
    real = verify_evidence(*GPU.evidence(NONCE), nonce=NONCE, pins=NVIDIA, now=NOW)
    assert code_of(real) == GpuCode.CHAIN_WRONG_ROOT


def test_second_certificate_of_the_root_key_is_as_good() -> None:
    """The key is pinned and not a certificate: another serial number changes nothing."""
    assert level(judged(changed(0, serial=4711))) is Level.CHIP_SIGNED


@pytest.mark.parametrize("place", LEVELS)
def test_chain_without_one_certificate_is_refused(place: int) -> None:
    """Four are too few, whichever is missing."""
    held = blocks(GPU.chain())
    del held[place]
    assert code_of(judged(b"".join(held))) == GpuCode.CHAIN_WRONG_COUNT


def test_chain_with_one_more_certificate_is_refused() -> None:
    """A chip's own key could issue more of them: what is longer than the family's is refused."""
    chip, signer = GPU.links[3:]
    own = Link(name="an issuer of its own", key=key_of("own"), issuer=chip)
    longer = [*GPU.links[:4], own, replace(signer, issuer=own)]
    assert code_of(judged(pem_of(longer))) == GpuCode.CHAIN_WRONG_COUNT
    doubled = GPU.chain() + blocks(GPU.chain())[0]
    assert code_of(judged(doubled)) == GpuCode.CHAIN_WRONG_COUNT


@pytest.mark.parametrize("place", LEVELS)
def test_certificate_that_stands_twice_is_refused(place: int) -> None:
    """Five certificates of which two are the same are no chain."""
    held = blocks(GPU.chain())
    held[place] = held[(place + 1) % 5]
    assert code_of(judged(b"".join(held))) == GpuCode.CHAIN_NOT_LINKED


def test_certificates_of_two_chips_are_no_chain() -> None:
    """Another chip's factory certificate, of the same name, did not issue this signing key."""
    held, other = blocks(GPU.chain()), blocks(GpuMaker(2).chain())
    mixed = [held[0], other[1], *held[2:]]
    assert code_of(judged(b"".join(mixed))) == GpuCode.CHAIN_BAD_SIGNATURE


@pytest.mark.parametrize("place", LEVELS)
def test_every_flip_of_one_bit_of_a_certificate_is_refused(place: int) -> None:
    """Flips all over each certificate: it cannot be read, is not linked, or is not signed."""
    held = blocks(GPU.chain())
    raw = bytearray(x509.load_pem_x509_certificate(held[place]).public_bytes(Encoding.DER))
    for at in range(0, len(raw), 7):
        raw[at] ^= 1 << at % 8
        pem = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
        chain = b"".join([*held[:place], pem % base64.b64encode(raw), *held[place + 1 :]])
        raw[at] ^= 1 << at % 8
        assert judged(chain).chain is Fact.FAIL, at


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"", GpuCode.CHAIN_MALFORMED),
        (b"\0", GpuCode.CHAIN_MALFORMED),
        (GPU.chain() + b"\0", GpuCode.CHAIN_MALFORMED),
        (b"Bag Attributes\n" + GPU.chain(), GpuCode.CHAIN_MALFORMED),
        (GPU.chain()[:-5], GpuCode.CHAIN_MALFORMED),
        (GPU.chain()[: len(GPU.chain()) // 2], GpuCode.CHAIN_MALFORMED),
        (GPU.chain().replace(b"MII", b"MI\xff"), GpuCode.CHAIN_MALFORMED),
        (GPU.chain() + b"\n" * 16384, GpuCode.CHAIN_TOO_LARGE),
        (GPU.chain().replace(b"CERTIFICATE", b"X509 CRL"), GpuCode.CHAIN_MALFORMED),
        (b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n" * 5, None),
    ],
)
def test_text_that_is_no_chain_is_refused(text: bytes, code: GpuCode | None) -> None:
    """Padded, cut, huge, of another kind: refused before anything in it is believed."""
    assert code_of(judged(text)) == (code or GpuCode.CHAIN_MALFORMED)


@pytest.mark.parametrize("place", range(4))
def test_issuer_that_may_not_issue_is_refused(place: int) -> None:
    """Every level above the signing key must be an authority, by both of its extensions."""
    assert code_of(judged(changed(place, ca=False))) == GpuCode.CHAIN_WRONG_USAGE
    usage = changed(place, usage="digital_signature")
    assert code_of(judged(usage)) == GpuCode.CHAIN_WRONG_USAGE


@pytest.mark.parametrize(("place", "allowed"), [(0, 2), (1, 1), (2, 0)])
def test_more_authorities_than_allowed_are_refused(place: int, allowed: int) -> None:
    """A path length, where stated, holds."""
    assert code_of(judged(changed(place, path_length=allowed))) == GpuCode.CHAIN_WRONG_USAGE
    assert level(judged(changed(place, path_length=allowed + 1))) is Level.CHIP_SIGNED


def test_signing_key_that_is_an_authority_is_refused() -> None:
    """The key that signs reports signs no certificates, and is for signing."""
    assert code_of(judged(changed(4, ca=True))) == GpuCode.CHAIN_WRONG_USAGE
    assert code_of(judged(changed(4, usage="key_cert_sign"))) == GpuCode.CHAIN_WRONG_USAGE
    assert code_of(judged(changed(4, usage="key_agreement"))) == GpuCode.CHAIN_WRONG_USAGE


@pytest.mark.parametrize("place", LEVELS)
def test_unknown_critical_extension_is_refused(place: int) -> None:
    """What must be understood and is not refuses the chain (RFC 5280 4.2); else it is passed by."""
    unknown = (*GPU.links[place].extensions, x509.UnrecognizedExtension(PRIVATE_OID, b"\x05\0"))
    bad = changed(place, extensions=unknown, critical=True)
    assert code_of(judged(bad)) == GpuCode.CHAIN_WRONG_USAGE
    assert level(judged(changed(place, extensions=unknown))) is Level.CHIP_SIGNED


@pytest.mark.parametrize("place", LEVELS)
def test_certificate_out_of_its_dates_is_refused(place: int) -> None:
    """Each level must hold at the time of checking."""
    until = datetime(2026, 11, 22, tzinfo=UTC)
    chain = changed(place, until=until)
    assert code_of(judged(chain)) == GpuCode.CHAIN_NOT_VALID_NOW
    assert level(judged(chain, now=until)) is Level.CHIP_SIGNED
    early = judged(GPU.chain(), now=NOW - timedelta(days=365 * 10))
    assert code_of(early) == GpuCode.CHAIN_NOT_VALID_NOW


@pytest.mark.parametrize("place", LEVELS)
def test_weaker_hash_or_other_curve_is_refused(place: int) -> None:
    """P-384 and SHA-384 at every level, nothing else."""
    weaker = changed(place, digest=hashes.SHA256)
    assert code_of(judged(weaker)) == GpuCode.CHAIN_WRONG_ALGORITHM
    other = changed(place, key=ec.derive_private_key(4711, ec.SECP256R1()))
    assert code_of(judged(other)) == GpuCode.CHAIN_WRONG_ALGORITHM


@pytest.mark.parametrize(
    ("shape", "device_class", "worth"),
    [
        (Shape.SWITCH, DeviceClass.NVSWITCH, Level.WITNESS),
        (Shape.EROT, DeviceClass.BOARD, Level.NONE),
    ],
)
def test_genuine_other_device_is_no_gpu(
    shape: Shape, device_class: DeviceClass, worth: Level
) -> None:
    """Every signature of a switch or board controller is good; the class alone refuses it."""
    facts = verify_evidence(
        *GpuMaker(1, shape).evidence(NONCE), nonce=NONCE, pins=PKI.pins, now=NOW
    )
    assert (facts.chain, facts.signature, facts.nonce) == (Fact.PASS,) * 3
    assert (facts.device_class, facts.class_, level(facts)) == (device_class, Fact.FAIL, worth)
    assert facts.failure
    assert facts.failure.code == GpuCode.NOT_A_GPU


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (1, "NVIDIA GB100 Identity"),
        (1, "NVIDIA eROT Identity CA 01"),
        (2, "NVIDIA GH100 Provisioner ICA 1 "),
        (2, "NVIDIA GH100 Provisioner ICA"),
        (2, "NVIDIA LS_10 Provisioner ICA 1"),
        (2, "NVIDIA CX8 Provisioner ICA 1"),
        (2, "x NVIDIA GH100 Provisioner ICA 1"),
        (3, "LS_10 A01 FSP BROM"),
        (3, "GB100 A01 GSP BROM"),
        (3, "GH100 A01 FSP BROM"),
        (3, "?"),
        (4, "GH100 A01 FSP FMC LF"),
        (4, "GH100 A01 GSP BROM LF"),
        (4, "LS_10 A01 FSP FMC LF"),
        (4, "GH100 A01 GSP FMC LF\n"),
    ],
)
def test_names_that_do_not_agree_are_of_no_device(place: int, name: str) -> None:
    """One level's name of another device, or none, and the chain is of no known class."""
    facts = judged(changed(place, name=name))
    assert facts.chain is Fact.PASS
    assert (facts.device_class, facts.class_) == (DeviceClass.UNKNOWN, Fact.FAIL)
    assert (facts.pdi, level(facts)) == (None, Level.NONE)


@pytest.mark.parametrize(
    "serial",
    [
        "401122334455667788",  # the FSP's octet under the GSP's name
        "501122334455667788",  # a switch's
        "421122334455667788",
        "4111223344556677",  # eight octets
        "41112233445566778899",  # ten
        "410000000000000000",
        "41ffffffffffffffff",
    ],
)
def test_serial_that_holds_no_pdi_is_refused(serial: str) -> None:
    """Nine octets, the first of the right root of trust, the rest some chip's."""
    facts = judged(changed(3, serial=int(serial, 16)))
    assert facts.failure
    assert facts.failure.code == GpuCode.SERIAL_NOT_A_PDI
    assert (facts.device_class, facts.pdi) == (DeviceClass.UNKNOWN, None)


def test_signing_certificate_that_names_another_chip_key_is_refused() -> None:
    """The chip key repeated beside the firmware id is the one that issued the certificate."""
    other = GpuMaker(2).links[3]
    stated = (GPU.links[4].extensions[0], GPU.firmware_extension(other))
    facts = judged(changed(4, extensions=stated))
    assert (facts.firmware, level(facts)) == (Fact.FAIL, Level.NONE)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x30",
        b"\x30\x80",
        b"\x30\x85\x01\x01\x01\x01\x01",
        b"\x30\x81\x05abcde",
        b"\x30\x03\x02\x01\x02",
        der(0x30, b"\x02\x01\x01", der(0x30), der(0x30)),
        der(0x30, b"\x02\x01\x01", der(0x30), der(0x30, b"\x06\x01\x01", der(4, bytes(48)))),
        der(0x30, b"\x1f\x81\x01\x00"),
        der(0x30, b"\x02\x01\x01") + b"\0\0",
    ],
)
@pytest.mark.parametrize("oid", ["2.23.133.5.4.1", "2.23.133.5.4.1.1"])
def test_firmware_statement_that_is_not_der_is_refused(oid: str, value: bytes) -> None:
    """Whatever the device put there, the answer is a fact and never an exception."""
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
    facts = judged(changed(4, extensions=(GPU.links[4].extensions[0], extension)))
    assert facts.firmware is Fact.FAIL


def test_device_info_that_is_not_text_is_refused() -> None:
    """Bytes that are no short printable string where a name is due."""
    oid = x509.ObjectIdentifier("1.3.6.1.4.1.412.274.1")
    texts = (der(0x0C, b"\xff"), der(0x0C), der(0x0C, b"a" * 65), der(0x0C, b"a\x1b"))
    for value in (*texts, der(0x04, b"x"), der(0x30, der(0x0C, b"a"))):
        info = x509.SubjectAlternativeName([x509.OtherName(oid, value)])
        facts = judged(changed(4, extensions=(info, GPU.links[4].extensions[1])))
        assert code_of(facts) == GpuCode.CHAIN_MALFORMED


@pytest.mark.parametrize("place", LEVELS)
def test_serial_number_without_bound_is_refused(place: int) -> None:
    """20 octets at most (RFC 5280 4.1.2.2): a number of ten thousand digits is no name of a key."""
    raw = bytearray(GPU.links[place].certificate().public_bytes(Encoding.DER))
    tbs = bytes(raw[4 + 4 :])
    at = tbs.index(b"\xa0\x03\x02\x01\x02") + 5
    rest = tbs[at + 2 + tbs[at + 1] :]
    for octets in (20, 21, 3000):
        body = tbs[:at] + der(0x02, b"\x01" * octets) + rest
        inner = int.from_bytes(raw[6:8]) + octets - tbs[at + 1] + (2 if octets > 255 else 0)
        made = der(0x30, b"\x30\x82" + inner.to_bytes(2) + body)
        block = b"-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n"
        held = blocks(GPU.chain())
        held[4 - place] = block % base64.b64encode(made)
        facts = judged(b"".join(held))
        told = {reason.code for reason in facts.reasons if reason.fact == "chain"}
        assert told == {GpuCode.CHAIN_BAD_SIGNATURE if octets == 20 else GpuCode.CHAIN_MALFORMED}
        assert decode_strict(encode_canonical(facts), EvidenceFacts) == facts


def test_time_without_a_zone_is_the_callers_mistake() -> None:
    """It is no fault of the evidence, so it is no fact."""
    with pytest.raises(ValueError, match="time zone"):
        judged(GPU.chain(), now=NOW.replace(tzinfo=None))


def test_signing_certificate_may_say_nothing_of_device_or_firmware() -> None:
    """What is not stated is not stated, and no failure."""
    facts = judged(changed(4, extensions=()))
    assert (facts.firmware, facts.device_info) == (Fact.NOT_STATED, None)
    assert level(facts) is Level.CHIP_SIGNED
