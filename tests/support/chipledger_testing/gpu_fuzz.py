"""What must hold for any bytes whatever that claim to be GPU evidence; and a search for those.

`try_one` is the law, for a corpus, for Hypothesis, and for a coverage-guided search:

    .venv/bin/pip install atheris
    PYTHONPATH=tests/support .venv/bin/python -m chipledger_testing.gpu_fuzz FOLDER

The first octet of an input says what the rest of it is.
"""

import base64
import importlib
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from chipledger_evidence.codec import decode_strict, encode_canonical
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.gpu.chain import read_chain
from chipledger_evidence.gpu.device import device_info, stated_firmware
from chipledger_evidence.gpu.envelope import Source, open_envelope, seal_envelope
from chipledger_evidence.gpu.errors import GpuEvidenceError
from chipledger_evidence.gpu.facts import EvidenceFacts, Fact, Level, level
from chipledger_evidence.gpu.report import Report, parse_report
from chipledger_evidence.gpu.verify import verify_envelope, verify_evidence
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker, Shape, der, key_of

NONCE = bytes(range(32))
GPU = GpuMaker(1, sees=("2a53b743d811e977", "166e93e19dec7d2d"))
RTX = GpuMaker(2, Shape.RTX)
SWITCH = GpuMaker(1, Shape.SWITCH, sees=(GPU.pdi,))
EROT = GpuMaker(1, Shape.EROT)
MAKERS = (GPU, RTX, SWITCH, EROT)
_BODY = GPU.report(NONCE)[:-96]
_OIDS = tuple(x509.ObjectIdentifier(oid) for oid in ("2.23.133.5.4.1", "2.23.133.5.4.1.1"))
_INFO = x509.ObjectIdentifier("1.3.6.1.4.1.412.274.1")


def try_one(data: bytes) -> None:
    """Return only if the law holds for `data`: an answer, no exception, and nothing forged.

    Raises:
        AssertionError: it does not.
    """
    if data:
        _LAWS[data[0] % len(_LAWS)](data[1:])


def seeds() -> dict[str, bytes]:
    """Return inputs to start from, by name: good evidence of every shape, in every form."""
    found = {}
    for maker in MAKERS:
        report, chain = maker.evidence(NONCE)
        name = maker.shape.lower()
        found[f"report-{name}"] = _as(_report, report)
        opaque = sum(4 + len(value) for value in parse_report(report).opaque.values())
        found[f"signed-{name}"] = _as(_opaque, report[-96 - opaque : -96])
        found[f"chain-{name}"] = _as(_chain, packed(chain))
        found[f"pem-{name}"] = _as(_pem, chain)
        found[f"envelope-{name}"] = _as(
            _envelope,
            seal_envelope(source=Source.NVML, transcript=report, chain=chain, nonce=NONCE),
        )
        signer = maker.links[4]
        firmware = maker.firmware_extension(maker.links[3]).value
        found[f"firmware-{name}"] = _as(_firmware, bytes((name == "gb202",)) + firmware)
        found[f"info-{name}"] = _as(_device_info, der(0x0C, signer.name.encode()))
    return found | {"list-forged": _as(_lists, _forged_list())}


def packed(chain: bytes) -> bytes:
    """Return a chain as its certificates in DER, each behind its length (2 octets)."""
    certificates = x509.load_pem_x509_certificates(chain)
    raw = [certificate.public_bytes(Encoding.DER) for certificate in certificates]
    return b"".join(len(each).to_bytes(2) + each for each in raw)


def main(argv: Sequence[str] = sys.argv) -> None:
    """Search for inputs that break the law, guided by coverage, until stopped.

    The first argument is the folder of the corpus, which is filled with `seeds` first; further
    ones are libFuzzer's, such as ``-max_total_time=600``.
    """
    for name, data in seeds().items():
        Path(argv[1], name).write_bytes(data)
    atheris = importlib.import_module("atheris")
    for name in [name for name in sys.modules if name.startswith("chipledger_evidence")]:
        for attribute in vars(sys.modules[name]).values():
            if callable(attribute) and getattr(attribute, "__module__", None) == name:
                _instrument(atheris, attribute)
    warnings.simplefilter("error")  # as in the test run: a warning is an error of its own
    atheris.Setup(list(argv), try_one)
    atheris.Fuzz()


def _instrument(atheris: object, attribute: object) -> None:
    instrument: Callable[[object], object] = atheris.instrument_func  # type: ignore[attr-defined]
    targets = vars(attribute).values() if isinstance(attribute, type) else (attribute,)
    for target in targets:
        if hasattr(target, "__code__"):
            instrument(target)


def _report(data: bytes) -> None:
    """Parsing loses nothing; only the device's own bytes are signed."""
    try:
        report = parse_report(data)
    except GpuEvidenceError:
        pass
    else:
        assert rebuilt(report) == data
    for maker in (GPU, SWITCH):
        facts = _judged(data, maker.chain())
        if facts.signature is Fact.PASS:
            assert data[:-96] == maker.report(NONCE)[:-96]


def _opaque(data: bytes) -> None:
    """A device may sign any opaque data: then there is an answer, and it fits a log record."""
    if len(data) < 1 << 12:
        body = _BODY[:3597] + len(data).to_bytes(2, "little") + data
        _judged(GPU.sign(body), GPU.chain())


def _chain(data: bytes) -> None:
    """Certificates of any content: only a maker's own chains are believed."""
    blocks = []
    while len(data) > 2:
        length = int.from_bytes(data[:2])
        blocks.append(base64.encodebytes(data[2 : 2 + length]))
        data = data[2 + length :]
    pem = b"-----BEGIN CERTIFICATE-----\n%s-----END CERTIFICATE-----\n"
    _pem(b"".join(pem % block for block in blocks[:8]))


def _pem(data: bytes) -> None:
    """The same, from the text."""
    facts = _judged(GPU.report(NONCE), data)
    if facts.chain is Fact.PASS:
        known = {_ders(maker.chain()) for maker in MAKERS}
        assert _ders(data) in known


def _envelope(data: bytes) -> None:
    """An envelope has one encoding, and is worth what is in it."""
    facts = verify_envelope(data, nonce=NONCE, pins=PKI.pins, now=NOW)
    _fits(facts)
    try:
        envelope = open_envelope(data)
    except EvidenceError:
        assert level(facts) is Level.NONE
        return
    assert encode_canonical(envelope) == data
    if level(facts) is not Level.NONE:
        assert facts.pdi in {maker.pdi for maker in MAKERS}


def _firmware(data: bytes) -> None:
    """What the signer's certificate states of its firmware is 48 bytes, or refused."""
    if data:
        _extension(x509.UnrecognizedExtension(_OIDS[data[0] & 1], data[1:]))


def _device_info(data: bytes) -> None:
    """What it states of its device is text, or refused."""
    _extension(x509.SubjectAlternativeName([x509.OtherName(_INFO, data)]))


def _lists(data: bytes) -> None:
    """No list that its issuer did not sign revokes or covers anything."""
    report, chain = GPU.evidence(NONCE)
    facts = verify_evidence(report, chain, nonce=NONCE, pins=PKI.pins, now=NOW, crls=[data])
    assert facts.revocation is Fact.NOT_CHECKED


_LAWS: tuple[Callable[[bytes], None], ...] = (
    _report,
    _opaque,
    _chain,
    _pem,
    _envelope,
    _firmware,
    _device_info,
    _lists,
)


def rebuilt(report: Report) -> bytes:
    """Return the bytes that a parsed report stands for, put together anew."""
    record = b"".join(
        bytes((index, 1, 51, 0, 1, 48, 0)) + digest
        for index, digest in enumerate(report.measurements, start=1)
    )
    opaque = b"".join(
        kind.to_bytes(2, "little") + len(value).to_bytes(2, "little") + value
        for kind, value in ((kind, report.opaque[kind]) for kind in report.opaque_order)
    )
    parts = (
        bytes((0x11, 0xE0, 0x01, 0xFF)),
        report.nonce,
        bytes((0, 0x11, 0x60, 0, 0, len(report.measurements))),
        len(record).to_bytes(3, "little"),
        record,
        report.responder_nonce,
        len(opaque).to_bytes(2, "little"),
        opaque,
        report.signature,
    )
    return b"".join(parts)


def _extension(value: x509.ExtensionType) -> None:
    chain = list(read_chain(GPU.chain()))
    extension = x509.Extension(value.oid, critical=False, value=value)
    chain[4] = replace(chain[4], extensions=x509.Extensions([extension]))
    try:
        stated, info = stated_firmware(chain), device_info(chain)
    except GpuEvidenceError:
        return
    assert stated is None or len(stated.fwid) == 48
    assert info is None or isinstance(info, str)


def _judged(report: bytes, chain: bytes) -> EvidenceFacts:
    facts = verify_evidence(report, chain, nonce=NONCE, pins=PKI.pins, now=NOW)
    _fits(facts)
    return facts


def _fits(facts: EvidenceFacts) -> None:
    assert decode_strict(encode_canonical(facts), EvidenceFacts) == facts


def _ders(chain: bytes) -> frozenset[bytes]:
    certificates = x509.load_pem_x509_certificates(chain)
    return frozenset(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def _forged_list() -> bytes:
    builder = x509.CertificateRevocationListBuilder()
    issuer = GPU.links[0].certificate().subject
    builder = builder.issuer_name(issuer).last_update(NOW).next_update(NOW + timedelta(days=7))
    return builder.sign(key_of("forger"), hashes.SHA384()).public_bytes(Encoding.DER)


def _as(law: Callable[[bytes], None], data: bytes) -> bytes:
    return bytes((_LAWS.index(law),)) + data


if __name__ == "__main__":
    main()
