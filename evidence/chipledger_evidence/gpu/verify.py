"""Device evidence → separate facts, by the steps of docs/EVIDENCE.md."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.gpu import fields
from chipledger_evidence.gpu.chain import CHIP, SIGNER, Certificate, check_chain, read_chain
from chipledger_evidence.gpu.device import (
    Device,
    DeviceClass,
    class_of,
    device_info,
    device_of,
    stated_firmware,
)
from chipledger_evidence.gpu.envelope import NVIDIA_SPDM, open_envelope
from chipledger_evidence.gpu.errors import GpuCode, GpuEvidenceError
from chipledger_evidence.gpu.facts import FACTS, EvidenceFacts, Fact, Level, Reason, level
from chipledger_evidence.gpu.manifests import Firmware, Stored, check_manifests
from chipledger_evidence.gpu.report import SIGNATURE_BYTES, Report, parse_report
from chipledger_evidence.gpu.revocation import check_revocation
from chipledger_evidence.gpu.roots import TrustAnchors

__all__ = [
    "DeviceClass",
    "EvidenceFacts",
    "Fact",
    "Level",
    "Reason",
    "level",
    "verify_envelope",
    "verify_evidence",
]

_T = TypeVar("_T")
_ECDSA = ec.ECDSA(hashes.SHA384())
_HALF = SIGNATURE_BYTES // 2
_MOST_WORDS = 256
_NOT_CHECKED = frozenset(
    {
        GpuCode.NO_REPORT,
        GpuCode.NONCE_NOT_GIVEN,
        GpuCode.REVOCATION_UNKNOWN,
        GpuCode.MANIFEST_NOT_CHECKED,
        GpuCode.UNKNOWN_KIND,
        GpuCode.MALFORMED_ENVELOPE,
    }
)
"""Reasons that leave a question open instead of answering it with no."""


def verify_envelope(
    blob: bytes,
    *,
    nonce: bytes | None,
    pins: TrustAnchors,
    now: datetime,
    crls: Sequence[bytes] | None = None,
    manifests: Mapping[str, Stored] | None = None,
) -> EvidenceFacts:
    """Return the facts of an evidence blob; of a foreign kind or form, that nothing was checked.

    Arguments are those of :func:`verify_evidence`. Never raises because of what `blob` holds.
    """
    try:
        envelope = open_envelope(blob)
    except EvidenceError as error:
        return _nothing(GpuCode.MALFORMED_ENVELOPE, f"{error.code}: {error.detail}")
    if envelope.kind != NVIDIA_SPDM:
        return _nothing(
            GpuCode.UNKNOWN_KIND, f"evidence of kind {envelope.kind!r} is kept and proves nothing"
        )
    return verify_evidence(
        envelope.transcript_bytes() or None,
        envelope.chain_bytes(),
        nonce=nonce,
        pins=pins,
        now=now,
        crls=crls,
        manifests=manifests,
    )


def verify_evidence(
    report: bytes | None,
    chain_pem: bytes,
    *,
    nonce: bytes | None,
    pins: TrustAnchors,
    now: datetime,
    crls: Sequence[bytes] | None = None,
    manifests: Mapping[str, Stored] | None = None,
) -> EvidenceFacts:
    """Return what the evidence shows. Never raises because of what `report` or `chain_pem` hold.

    Args:
        report: the SPDM 1.1 report, or None where there is only a chain.
        chain_pem: its certificate chain, PEM.
        nonce: the nonce that the device was asked with, or None: then it is not checked.
        pins: root keys to believe, :data:`chipledger_evidence.gpu.roots.NVIDIA`.
        now: time at which chain and lists must hold, aware.
        crls: stored revocation lists, DER or PEM; None: not checked.
        manifests: stored reference manifests by file name, verified; None: not checked.

    Raises:
        ValueError: `now` has no time zone: the caller's mistake.
    """
    if now.tzinfo is None:
        raise ValueError("the time at which evidence is judged needs a time zone")
    case = _Case()
    chain = case.attempt("chain", lambda: read_chain(chain_pem))
    parsed = case.attempt("signature", lambda: _read_report(report))
    device = None if chain is None else case.chain(chain, pins=pins, now=now)
    if parsed is not None:
        case.nonce(parsed, nonce)
    if chain is not None and parsed is not None:
        case.report(parsed, chain, device)
    if chain is not None and crls is not None:
        case.judge("revocation", lambda: check_revocation(chain, crls, now=now))
    if parsed is not None and manifests is not None:
        case.manifests(parsed, manifests)
    return case.facts()


class _Case:
    """The facts while they are being found."""

    def __init__(self) -> None:
        self._facts = dict.fromkeys(FACTS, Fact.NOT_CHECKED)
        self._reasons: list[Reason] = []
        self._class = DeviceClass.UNKNOWN
        self._said: dict[str, Any] = {}

    def attempt(self, fact: str, question: Callable[[], _T]) -> _T | None:
        """Return the answer, or None after noting why there is none."""
        try:
            return question()
        except GpuEvidenceError as error:
            self.refuse(fact, error.code, error.detail)
            return None

    def judge(self, fact: str, check: Callable[[], None]) -> None:
        """Make the fact `pass` if `check` returns, else what its error says."""
        try:
            check()
        except GpuEvidenceError as error:
            self.refuse(fact, error.code, error.detail)
        else:
            self._facts[fact] = Fact.PASS

    def refuse(self, fact: str, code: GpuCode, detail: str) -> None:
        """Note why the fact is not `pass`."""
        self._facts[fact] = Fact.NOT_CHECKED if code in _NOT_CHECKED else Fact.FAIL
        printable = "".join(letter if letter.isprintable() else "?" for letter in detail)
        self._reasons.append(Reason(fact=fact, code=code, detail=printable[:_MOST_WORDS]))

    def chain(
        self, chain: Sequence[Certificate], *, pins: TrustAnchors, now: datetime
    ) -> Device | None:
        """Judge the chain, and note class and identity; a GPU alone passes."""
        self.judge("chain", lambda: check_chain(chain, pins=pins, now=now))
        device = self.attempt("class", lambda: device_of(chain))
        if device is None:
            if class_of(chain) is DeviceClass.BOARD:
                self._class = DeviceClass.BOARD
            return None
        self._class = device.device_class
        self._said |= {
            "pdi": device.pdi,
            "rot": device.rot,
            "die": device.die,
            "l4_key": b64url_encode(chain[CHIP].spki_sha256),
            "ueid": str(int.from_bytes(chain[SIGNER].serial)),
            "device_info": self.attempt("chain", lambda: device_info(chain)),
        }
        if device.device_class is DeviceClass.GPU:
            self._facts["class"] = Fact.PASS
        else:
            self.refuse(
                "class",
                GpuCode.NOT_A_GPU,
                f"the chain names an NVSwitch ({device.die}): a witness, never a chip",
            )
        return device

    def nonce(self, report: Report, nonce: bytes | None) -> None:
        """Hold the report's nonce against the one that was asked with."""
        self._said["report_nonce"] = b64url_encode(report.nonce)
        if nonce is None:
            self.refuse("nonce", GpuCode.NONCE_NOT_GIVEN, "no nonce to compare with was given")
        elif report.nonce != nonce:
            self.refuse(
                "nonce",
                GpuCode.SPDM_NONCE_MISMATCH,
                f"the report answers {report.nonce.hex()}, asked was {nonce.hex()}",
            )
        else:
            self._facts["nonce"] = Fact.PASS

    def report(self, report: Report, chain: Sequence[Certificate], device: Device | None) -> None:
        """Judge the report's signature and what it states."""
        self.judge("signature", lambda: _check_signature(report, chain[SIGNER].key))
        self.stated(report, device)
        self.firmware(report, chain)

    def stated(self, report: Report, device: Device | None) -> None:
        """Note what the report states, read as that class of device means it."""
        read = {
            DeviceClass.GPU: _stated_by_gpu,
            DeviceClass.NVSWITCH: _stated_by_switch,
        }.get(self._class)
        if device is None or read is None:
            return
        if (said := self.attempt("signature", lambda: read(report))) is None:
            return
        own = said.pop("own_pdi", device.pdi)
        if own != device.pdi:
            self._class = DeviceClass.UNKNOWN
            self.refuse(
                "class",
                GpuCode.CONTRADICTS_CERTIFICATE,
                f"the report is of switch {own}, the certificate of {device.pdi}",
            )
        self._said |= said

    def firmware(self, report: Report, chain: Sequence[Certificate]) -> None:
        """Hold the firmware id of the report against the signer's certificate."""
        try:
            in_report = fields.firmware_id(report)
            stated = stated_firmware(chain)
        except GpuEvidenceError as error:
            self.refuse("firmware", error.code, error.detail)
            return
        if stated is not None and stated.chip_spki not in {None, chain[CHIP].spki}:
            self.refuse(
                "firmware",
                GpuCode.FIRMWARE_MISMATCH,
                "the signing key's certificate names another chip key than the one that issued it",
            )
        elif stated is None or in_report is None:
            self._facts["firmware"] = Fact.NOT_STATED
        elif stated.fwid != in_report:
            self.refuse(
                "firmware",
                GpuCode.FIRMWARE_MISMATCH,
                f"report {in_report.hex()[:16]}…, certificate {stated.fwid.hex()[:16]}…",
            )
        else:
            self._facts["firmware"] = Fact.PASS

    def manifests(self, report: Report, manifests: Mapping[str, Stored]) -> None:
        """Hold the report's measurements against the manifests of its firmware."""
        board = tuple(self._said.get(name) for name in ("project", "project_sku", "chip_sku"))
        firmware = Firmware(
            die=self._said.get("die"),
            driver=self._said.get("driver"),
            chip_info=self._said.get("chip_info"),
            board=board,
            vbios=self._said.get("vbios"),
            measurements=report.measurements,
            nvdec_off=fields.nvdec_off(report),
        )
        self.judge("measurements", lambda: check_manifests(manifests, firmware))

    def facts(self) -> EvidenceFacts:
        """Return everything that was found."""
        judged: dict[str, Any] = {
            ("class_" if name == "class" else name): fact for name, fact in self._facts.items()
        }
        return EvidenceFacts(
            device_class=self._class,
            reasons=tuple(self._reasons),
            **judged,
            **self._said,
        )


def _nothing(code: GpuCode, detail: str) -> EvidenceFacts:
    case = _Case()
    case.refuse("chain", code, detail)
    return case.facts()


def _read_report(report: bytes | None) -> Report:
    if report is None:
        raise GpuEvidenceError(GpuCode.NO_REPORT, "there is no report beside the chain")
    return parse_report(report)


def _check_signature(report: Report, key: ec.EllipticCurvePublicKey) -> None:
    r, s = (int.from_bytes(half) for half in (report.signature[:_HALF], report.signature[_HALF:]))
    try:
        key.verify(encode_dss_signature(r, s), report.signed, _ECDSA)
    except (InvalidSignature, ValueError) as error:
        raise GpuEvidenceError(
            GpuCode.SPDM_BAD_SIGNATURE,
            "the signing key of this chain did not sign these bytes: they were changed, or the"
            " report is another device's",
        ) from error


def _stated_by_gpu(report: Report) -> dict[str, Any]:
    fields.check_version(report)
    return {
        "driver": fields.text(report, fields.DRIVER),
        "vbios": fields.gpu_vbios(report),
        "project": fields.text(report, fields.PROJECT),
        "project_sku": fields.text(report, fields.PROJECT_SKU),
        "chip_sku": fields.text(report, fields.CHIP_SKU),
        "chip_info": fields.text(report, fields.CHIP_NAME),
        "feature": fields.feature(report),
        "switch_pdis": fields.switches_of_gpu(report),
    }


def _stated_by_switch(report: Report) -> dict[str, Any]:
    fields.check_version(report)
    return {
        "vbios": fields.text(report, fields.VBIOS),
        "own_pdi": fields.pdi_of_switch(report),
        "gpu_pdis": fields.gpus_of_switch(report),
    }
