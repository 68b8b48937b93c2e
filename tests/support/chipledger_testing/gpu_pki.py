"""Devices of our own, of the same shapes as NVIDIA's, under a root of our own.

``GpuMaker(1).evidence(nonce)`` is what a GPU would answer. Verify it with ``pins=PKI.pins``:
shipped code trusts NVIDIA's root alone; only who calls the pure function can hand it another list.
Keys and certificates are derived from names and are the same in every run.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache, cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from chipledger_evidence.gpu.roots import RootPin, TrustAnchors

NOW = datetime(2026, 11, 23, tzinfo=UTC)
_FROM = datetime(2021, 11, 5, tzinfo=UTC)
_FOR_EVER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
_ORDER_384 = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffff"
    "c7634d81f4372ddf581a0db248b0a77aecec196accc52973",
    16,
)
_SHA384_OID = bytes.fromhex("0609608648016503040202")
_HOPPER_FWID = x509.ObjectIdentifier("2.23.133.5.4.1")
_TCB_INFO = x509.ObjectIdentifier("2.23.133.5.4.1.1")
_DEVICE_INFO = x509.ObjectIdentifier("1.3.6.1.4.1.412.274.1")

Opaque = Sequence[tuple[int, bytes]]


class Shape(StrEnum):
    """The shapes of device that were seen."""

    HOPPER = "GH100"
    BLACKWELL = "GB100"
    BLACKWELL_FSP = "GB100 FSP"  # what a BMC shows of a GB200
    RTX = "GB202"
    SWITCH = "LS_10"
    EROT = "CEC173x"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """Names from L2 to L5, first octet of the L4 serial, and where the FWID stands."""

    names: tuple[str, str, str, str]
    octet: int
    info: str
    fwid: x509.ObjectIdentifier
    chip_id: bytes = b""


_FORMS = {
    Shape.HOPPER: _Form(
        names=(
            "NVIDIA GH100 Identity",
            "NVIDIA GH100 Provisioner ICA 1",
            "GH100 A01 GSP BROM",
            "GH100 A01 GSP FMC LF",
        ),
        octet=0x41,
        info="NVIDIA:GH100",
        fwid=_HOPPER_FWID,
        chip_id=bytes.fromhex("8001000000000000"),
    ),
    Shape.BLACKWELL: _Form(
        names=(
            "NVIDIA GB100 Identity",
            "NVIDIA GB100 Provisioner ICA 00000",
            "GB100 A01 GSP BROM",
            "GB100 A01 GSP FMC LF",
        ),
        octet=0x41,
        info="NVIDIA:GB100",
        fwid=_TCB_INFO,
        chip_id=bytes.fromhex("a001000000000000"),
    ),
    Shape.BLACKWELL_FSP: _Form(
        names=(
            "NVIDIA GB100 Identity",
            "NVIDIA GB100 Provisioner ICA 00000",
            "GB100 A01 FSP BROM",
            "GB100 A01 FSP FMC LF",
        ),
        octet=0x40,
        info="NVIDIA:GB100",
        fwid=_TCB_INFO,
        chip_id=bytes.fromhex("a001000000000000"),
    ),
    Shape.RTX: _Form(
        names=(
            "NVIDIA GB20X Identity",
            "NVIDIA GB202 Provisioner ICA 00000",
            "GB20X A01 GSP BROM",
            "GB20X A01 GSP FMC LF",
        ),
        octet=0x41,
        info="NVIDIA:GB20X",
        fwid=_TCB_INFO,
        chip_id=bytes.fromhex("b001000002000000"),
    ),
    Shape.SWITCH: _Form(
        names=(
            "NVIDIA GH100 Identity",
            "NVIDIA LS_10 Provisioner ICA 1",
            "LS_10 A01 FSP BROM",
            "LS_10 A01 FSP FMC LF",
        ),
        octet=0x50,
        info="NVIDIA:LS_10",
        fwid=_HOPPER_FWID,
    ),
    Shape.EROT: _Form(
        names=(
            "NVIDIA eROT Identity CA 01",
            "CEC173x pCA02",
            "CEC173x-S2 BROM CA",
            "CEC173x-S2 FMC LF",
        ),
        octet=0x41,
        info="Microchip:CEC173x",
        fwid=_HOPPER_FWID,
    ),
}


def key_of(name: str) -> ec.EllipticCurvePrivateKey:
    """Return the P-384 key of that name, the same in every run."""
    number = int.from_bytes(hashlib.sha512(f"chipledger test key {name}".encode()).digest())
    return ec.derive_private_key(number % (_ORDER_384 - 1) + 1, ec.SECP384R1())


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the public half as SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def der(tag: int, *parts: bytes) -> bytes:
    """Return a DER value with its shortest length."""
    content = b"".join(parts)
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(length))) + length + content


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One certificate to be made; every part can be another than a device would have."""

    name: str
    key: ec.EllipticCurvePrivateKey
    issuer: "Link | None" = None
    serial: int = 0
    ca: bool = True
    path_length: int | None = None
    usage: str = "key_cert_sign"
    extensions: tuple[x509.ExtensionType, ...] = ()
    critical: bool = False
    until: datetime = _FOR_EVER
    digest: type[hashes.SHA384 | hashes.SHA256] = hashes.SHA384

    def certificate(self) -> x509.Certificate:
        """Return the certificate, signed by its issuer."""
        issuer = self.issuer or self
        serial = self.serial or int.from_bytes(hashlib.sha256(self.name.encode()).digest()[:15])
        builder = (
            x509.CertificateBuilder()
            .subject_name(_common_name(self.name))
            .issuer_name(_common_name(issuer.name))
            .public_key(self.key.public_key())
            .serial_number(serial)
            .not_valid_before(_FROM)
            .not_valid_after(self.until)
            .add_extension(_usage(self.usage), critical=True)
        )
        if self.ca:
            constraints = x509.BasicConstraints(ca=True, path_length=self.path_length)
            builder = builder.add_extension(constraints, critical=True)
        for extension in self.extensions:
            builder = builder.add_extension(extension, critical=self.critical)
        return builder.sign(issuer.key, self.digest(), ecdsa_deterministic=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pki:
    """A maker of devices; another `seed` is another maker with the same names."""

    seed: str = "test maker"

    @property
    def root(self) -> Link:
        """Its root."""
        return Link(name="NVIDIA Device Identity CA", key=key_of(f"{self.seed} root"))

    @property
    def pins(self) -> TrustAnchors:
        """The list that trusts this maker and no other."""
        digest = hashlib.sha256(spki(self.root.key)).hexdigest()
        pin = RootPin(name="test root", spki_sha256=digest, source="tests", as_of="2026-11-23")
        return TrustAnchors(version="test", roots=(pin,))

    def authority(self, name: str, issuer: Link) -> Link:
        """Return a certificate authority of this maker."""
        return Link(name=name, key=key_of(f"{self.seed} {name}"), issuer=issuer)


PKI = Pki()


@dataclass(frozen=True)
class GpuMaker:
    """One device, by its number; the same number is the same chip.

    Attributes:
        number: names the chip: PDI and factory key come from it.
        shape: which kind of device.
        pki: who made it.
        sees: PDIs on its links: switches for a GPU, GPUs for a switch.
        driver: driver version it states.
        firmware: another text is another firmware: new signing key, same chip.
        states_firmware: False: as drivers before 550, its reports state no firmware id.
        fields: further opaque fields, or other values for those it has.
    """

    number: int
    shape: Shape = Shape.HOPPER
    pki: Pki = PKI
    sees: tuple[str, ...] = ()
    driver: str = "590.12"
    firmware: str = "1"
    states_firmware: bool = True
    fields: tuple[tuple[int, bytes], ...] = ()

    @property
    def pdi(self) -> str:
        """Its PDI, as the inventory writes it."""
        return hashlib.sha256(f"pdi {self.shape[:5]} {self.number}".encode()).hexdigest()[:16]

    @property
    def fwid(self) -> bytes:
        """SHA-384 of its firmware."""
        return hashlib.sha384(self.firmware.encode()).digest()

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Its certificates to be made, root first; replace one and call `pem_of`."""
        form, name = _FORMS[self.shape], f"{self.pki.seed} {self.shape} {self.number}"
        family = self.pki.authority(form.names[0], self.pki.root)
        provisioner = self.pki.authority(form.names[1], family)
        chip = Link(
            name=form.names[2],
            key=key_of(f"{name} chip"),
            issuer=provisioner,
            serial=int.from_bytes(bytes((form.octet,)) + bytes.fromhex(self.pdi)),
        )
        signer = Link(
            name=form.names[3],
            key=key_of(f"{name} {self.firmware}"),
            issuer=chip,
            serial=int.from_bytes(hashlib.sha256(f"{name} {self.firmware}".encode()).digest()[:19]),
            ca=False,
            usage="digital_signature",
            extensions=(self._info(), self.firmware_extension(chip)),
        )
        return (self.pki.root, family, provisioner, chip, signer)

    def firmware_extension(self, chip: Link) -> x509.UnrecognizedExtension:
        """Return what the signer's certificate says of its firmware."""
        fwid = der(0x30, _SHA384_OID, der(0x04, self.fwid))
        form = _FORMS[self.shape]
        if form.fwid == _HOPPER_FWID:
            return x509.UnrecognizedExtension(
                form.fwid, der(0x30, b"\x02\x01\x01", spki(chip.key), fwid)
            )
        other = der(0x30, _SHA384_OID, der(0x04, bytes(48)))
        info = der(0x30, der(0x80, b"NVIDIA"), der(0xA6, fwid, other))
        return x509.UnrecognizedExtension(form.fwid, info)

    def chain(self) -> bytes:
        """Return its chain, PEM, leaf first."""
        return _chain_of(GpuMaker(self.number, self.shape, self.pki, firmware=self.firmware))

    def opaque(self) -> list[tuple[int, bytes]]:
        """Return the opaque fields it states, in order."""
        stated = _switch_fields(self) if self.shape is Shape.SWITCH else _gpu_fields(self)
        stated |= dict(self.fields)
        return list(stated.items())

    def report(self, nonce: bytes, *, opaque: Opaque | None = None) -> bytes:
        """Return its signed report over `nonce`, with other opaque fields where given."""
        fields = self.opaque() if opaque is None else opaque
        blocks = 31 if self.shape is Shape.SWITCH else 64
        return self.sign(unsigned_report(nonce, fields, blocks=blocks))

    def sign(self, body: bytes) -> bytes:
        """Return `body` with this device's signature behind it, whatever it is."""
        algorithm = ec.ECDSA(hashes.SHA384(), deterministic_signing=True)
        r, s = decode_dss_signature(self.links[-1].key.sign(body, algorithm))
        return body + r.to_bytes(48) + s.to_bytes(48)

    def evidence(self, nonce: bytes) -> tuple[bytes, bytes]:
        """Return report and chain, as the device's driver would."""
        return self.report(nonce), self.chain()

    def _info(self) -> x509.SubjectAlternativeName:
        eui = f"48B02D{self.pdi[:10].upper()}"
        info = der(0x0C, f"{_FORMS[self.shape].info}:{eui}".encode())
        return x509.SubjectAlternativeName([x509.OtherName(_DEVICE_INFO, info)])


def hgx(first: int = 0, *, pki: Pki = PKI) -> tuple[list[GpuMaker], list[GpuMaker]]:
    """Return eight GPUs and four switches of one board, each naming the others."""
    gpus = tuple(GpuMaker(first + n, pki=pki) for n in range(8))
    switches = tuple(GpuMaker(first + n, Shape.SWITCH, pki=pki) for n in range(4))
    seen_by_gpu = tuple(switch.pdi for switch in switches)
    seen_by_switch = tuple(gpu.pdi for gpu in gpus)
    return (
        [GpuMaker(gpu.number, pki=pki, sees=seen_by_gpu) for gpu in gpus],
        [GpuMaker(each.number, Shape.SWITCH, pki=pki, sees=seen_by_switch) for each in switches],
    )


def pem_of(links: Sequence[Link]) -> bytes:
    """Return certificates as PEM, the last first, as devices give them."""
    return b"".join(link.certificate().public_bytes(Encoding.PEM) for link in reversed(links))


def unsigned_report(nonce: bytes, opaque: Opaque, *, blocks: int = 64) -> bytes:
    """Return request and response of one SPDM 1.1 measurement, without the signature."""
    record = b"".join(
        bytes((index, 1, 51, 0, 1, 48, 0)) + hashlib.sha384(bytes((index,))).digest()
        for index in range(1, blocks + 1)
    )
    fields = b"".join(
        kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value
        for kind, value in opaque
    )
    return b"".join(
        (
            bytes((0x11, 0xE0, 0x01, 0xFF)),
            nonce,
            bytes((0, 0x11, 0x60, 0, 0, blocks)),
            len(record).to_bytes(3, "little"),
            record,
            hashlib.sha256(b"responder" + nonce).digest(),
            len(fields).to_bytes(2, "little"),
            fields,
        )
    )


@cache
def _chain_of(maker: GpuMaker) -> bytes:
    return pem_of(maker.links)


def _gpu_fields(maker: GpuMaker) -> dict[int, bytes]:
    seen = b"".join(bytes.fromhex(pdi)[::-1] * 4 for pdi in maker.sees) + bytes(16)
    return {
        6: bytes.fromhex("00a5009601000000"),
        14: bytes.fromhex("37040000"),
        15: b"885".ljust(9, b"\0"),
        16: b"0".ljust(5, b"\0"),
        17: b"G520\0",
        18: b"0200\0",
        19: b"\0\0",
        3: maker.driver.encode() + b"\0",
        4: _FORMS[maker.shape].chip_id,
        12: bytes(256),
        13: bytes.fromhex("00c00100"),
        11: b"\x55",
        **({20: maker.fwid} if maker.states_firmware else {}),
        21: b"\xaa" if maker.sees else b"\x55",
        **({22: seen} if maker.sees else {}),
        34: b"\x01\0",
        36: b"\x02\0" if maker.sees else b"\x01\0",
    }


def _switch_fields(maker: GpuMaker) -> dict[int, bytes]:
    seen = b"".join(bytes.fromhex(pdi) for pdi in maker.sees)[:64].ljust(64, b"\0")
    return {
        6: b"96.10.73.00.01",
        22: bytes.fromhex(maker.pdi),
        12: bytes(108),
        26: seen + b"\xff" * 64,
        23: b"\xec\0",
        24: b"\0\0",
        25: b"\x01\0",
    }


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(only: str) -> x509.KeyUsage:
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: name == only for name in every})
