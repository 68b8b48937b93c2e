"""Explain GPU evidence to a person, step by step, and to a program, as facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from chipledger_audit.gpu_files import Piece
from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.gpu.device import DeviceClass
from chipledger_evidence.gpu.errors import GpuCode
from chipledger_evidence.gpu.facts import FACTS, EvidenceFacts, Fact, Level, level
from chipledger_evidence.gpu.manifests import Stored
from chipledger_evidence.gpu.roots import TrustAnchors
from chipledger_evidence.gpu.verify import verify_evidence
from chipledger_evidence.gpu.witness import Witness, WitnessResult, cross_witness

_QUESTIONS = {
    "chain": "five certificates lead from the signing key to a pinned root key",
    "class": "all of them name a GPU, and the factory's one its PDI",
    "signature": "the report is well formed, and that signing key signed exactly its bytes",
    "nonce": "the report answers the nonce that was asked with",
    "firmware": "report and certificate name the same firmware",
    "revocation": "stored lists of the issuers revoke none of the certificates",
    "measurements": "the measurements equal signed reference manifests",
}
_WHEN_NOT_ASKED = {
    "nonce": "give --nonce",
    "revocation": "give --crls",
    "measurements": "give --manifests",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuVerdict:
    """What one piece of evidence shows.

    Attributes:
        name: where it stands.
        genuine: it is GPU evidence and nothing that was checked speaks against it.
        level: what it is worth; `none` while the nonce is not checked.
        facts: every fact by itself.
        said_nonce: the nonce that the file states beside it; proves nothing.
    """

    name: str
    genuine: bool
    level: Level
    facts: EvidenceFacts
    said_nonce: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuCheck:
    """What a file or folder of evidence shows.

    Attributes:
        genuine: everything in it is genuine GPU evidence.
        anchors: version of the list of pinned root keys.
        pieces: each piece.
        witness: what switches among it say of the GPUs among it; None without switches.
    """

    genuine: bool
    anchors: str
    pieces: tuple[GpuVerdict, ...]
    witness: WitnessResult | None = None


def check_pieces(
    pieces: Sequence[Piece],
    *,
    nonce: bytes | None,
    pins: TrustAnchors,
    now: datetime,
    crls: Sequence[bytes] | None = None,
    manifests: Mapping[str, Stored] | None = None,
) -> GpuCheck:
    """Return what `pieces` show; arguments as those of `verify_evidence`."""
    verdicts = []
    for piece in pieces:
        facts = verify_evidence(
            piece.report,
            piece.chain,
            nonce=nonce,
            pins=pins,
            now=now,
            crls=crls,
            manifests=manifests,
        )
        verdicts.append(
            GpuVerdict(
                name=piece.name,
                genuine=_is_genuine(facts, piece, nonce),
                level=level(facts),
                facts=facts,
                said_nonce=piece.said_nonce,
            )
        )
    return GpuCheck(
        genuine=all(verdict.genuine for verdict in verdicts),
        anchors=pins.version,
        pieces=tuple(verdicts),
        witness=_witness([verdict.facts for verdict in verdicts]),
    )


def describe_gpu(check: GpuCheck) -> list[str]:
    """Return the check as lines for a person."""
    lines: list[str] = []
    for verdict in check.pieces:
        lines += [verdict.name, *_identity(verdict)]
        lines += [_step(number, name, verdict) for number, name in enumerate(FACTS, start=1)]
        lines += [f"  => {_conclusion(verdict)}", ""]
    if check.witness is not None:
        lines += [*_testimony(check.witness), ""]
    good = sum(verdict.genuine for verdict in check.pieces)
    lines.append(f"{good} of {len(check.pieces)} genuine GPU evidence (roots of {check.anchors})")
    return lines


def _is_genuine(facts: EvidenceFacts, piece: Piece, nonce: bytes | None) -> bool:
    """Tell whether it is GPU evidence with nothing against it, all that was asked for shown."""
    needed = ["chain", "class"]
    if piece.report is not None:
        needed.append("signature")
    if nonce is not None:
        needed.append("nonce")
    refused = any(facts.of(name) is Fact.FAIL for name in FACTS)
    return not refused and all(facts.of(name) is Fact.PASS for name in needed)


def _witness(facts: Sequence[EvidenceFacts]) -> WitnessResult | None:
    if not any(each.device_class is DeviceClass.NVSWITCH for each in facts):
        return None
    gpus = [each.pdi for each in facts if each.device_class is DeviceClass.GPU]
    result = cross_witness(facts, gpus)
    return None if not gpus or result.outcome is Witness.NO_WITNESS else result


def _identity(verdict: GpuVerdict) -> list[str]:
    facts = verdict.facts
    nonce = b64url_decode(facts.report_nonce).hex() if facts.report_nonce else None
    beside = verdict.said_nonce and ("the same" if verdict.said_nonce == nonce else "another one")
    said = (
        ("device", facts.device_class),
        ("die", facts.die),
        ("PDI", facts.pdi),
        ("root of trust", facts.rot),
        ("factory key", facts.l4_key),
        ("driver, VBIOS", _both(facts.driver, facts.vbios)),
        ("board, chip SKU", _both(_both(facts.project, facts.project_sku), facts.chip_sku)),
        ("nonce in report", nonce),
        ("nonce in file", beside),
        ("sees switches", " ".join(facts.switch_pdis) or None),
        ("sees GPUs", " ".join(facts.gpu_pdis) or None),
    )
    return [f"  {what:16} {value}" for what, value in said if value]


def _both(first: str | None, second: str | None) -> str | None:
    return f"{first}, {second}" if first and second else first or second


def _step(number: int, name: str, verdict: GpuVerdict) -> str:
    facts = verdict.facts
    fact = facts.of(name)
    why = [f"{each.code}: {each.detail}" for each in facts.reasons if each.fact == name]
    if not why and fact is Fact.NOT_CHECKED:
        why = [_WHEN_NOT_ASKED.get(name, "needs a report and a readable chain")]
    tail = "" if fact is Fact.PASS else "".join(f"\n{'':19}{each}" for each in why)
    return f"  {number}. {fact:12}  {name}: {_QUESTIONS[name]}{tail}"


def _conclusion(verdict: GpuVerdict) -> str:
    facts = verdict.facts
    if verdict.genuine:
        if facts.signature is not Fact.PASS:
            return "the chain of a genuine GPU; without a report it does not show where the GPU is"
        if facts.nonce is not Fact.PASS:
            return "signed by a genuine GPU, when is not known: the nonce was not checked"
        return f"signed by a genuine GPU over this nonce ({verdict.level})"
    failure = facts.failure
    if facts.device_class is DeviceClass.NVSWITCH and facts.signature is Fact.PASS is facts.chain:
        return "signed by a genuine NVSwitch: a witness, not a GPU"
    if failure is not None and failure.code is GpuCode.NOT_A_GPU:
        return "not a GPU"
    reasons = facts.reasons if failure is None else (failure,)
    return f"refused: {reasons[0].code}" if reasons else "refused"


def _testimony(result: WitnessResult) -> list[str]:
    lines = [f"switches about the GPUs here: {result.outcome}"]
    lines += [
        f"  chip {chip.pdi} is not here, named by {', '.join(chip.named_by) or 'itself'}"
        for chip in result.hidden
    ]
    for what, pdis in (
        ("no GPU here is linked to switch", result.unknown_switches),
        ("GPUs here are linked to a switch that is not here:", result.missing_switches),
    ):
        lines += [f"  {what} {pdi}" for pdi in pdis]
    return lines
