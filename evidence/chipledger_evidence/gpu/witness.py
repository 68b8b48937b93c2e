"""NVSwitches as witnesses: what they signed they see, held against what the host said it has.

On an HGX board every GPU hangs on every switch. A switch signs the PDIs of the GPUs on its ports,
a GPU signs the PDIs of the switches on its links, so a chip that the host leaves out is still
named by hardware that the host cannot make sign something else.
"""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated

import msgspec

from chipledger_evidence.codec import Wire
from chipledger_evidence.gpu.device import DeviceClass
from chipledger_evidence.gpu.facts import MOST_PDIS, EvidenceFacts, Level, Pdi, level
from chipledger_evidence.ids import whole


class Witness(StrEnum):
    """What switches and GPUs of one round say of the host, the worst first."""

    HIDDEN_CHIP = "hidden-chip"  # a switch names a chip that the host does not have, it says
    UNKNOWN_SWITCH = "unknown-switch"  # a switch answered that no GPU of the host is linked to
    MISSING_SWITCH = "missing-switch"  # a GPU is linked to a switch that did not answer
    UNDECIDED = "undecided"  # chips named by switches may be those the host lists without a PDI
    AGREE = "agree"
    NO_WITNESS = "no-witness"  # no switch answered, see the code


class HiddenChip(Wire, frozen=True, kw_only=True):
    """A chip that the host does not list.

    Attributes:
        pdi: the chip.
        named_by: switches that see it on their ports; empty for a chip that signed itself.
    """

    pdi: Pdi
    named_by: Annotated[tuple[Pdi, ...], msgspec.Meta(max_length=MOST_PDIS)] = ()


_Pdis = Annotated[tuple[Pdi, ...], msgspec.Meta(max_length=MOST_PDIS)]


class WitnessResult(Wire, frozen=True, kw_only=True):
    """What the round's witnesses say, with the chips and switches it is about.

    Attributes:
        outcome: the worst of what follows.
        hidden: chips that are named, or that signed, and that the host does not list.
        undecided: chips named by switches while the host lists as many chips without a PDI.
        unknown_switches: switches that answered, named by no GPU though GPUs name switches.
        missing_switches: switches that GPUs name and that did not answer.
        switches: switches whose word was taken.
        chips: chips that they name.
        code: for `no-witness`: why no switch was asked or answered.
    """

    outcome: Witness
    hidden: Annotated[tuple[HiddenChip, ...], msgspec.Meta(max_length=MOST_PDIS)] = ()
    undecided: _Pdis = ()
    unknown_switches: _Pdis = ()
    missing_switches: _Pdis = ()
    switches: _Pdis = ()
    chips: _Pdis = ()
    code: Annotated[str, whole("[a-z][a-z0-9-]{0,63}")] | None = None


NO_SWITCH_EVIDENCE = "no-switch-evidence"
"""`code` when nothing else is known: the round held no switch's evidence that proves anything."""


def cross_witness(
    evidence: Sequence[EvidenceFacts],
    chips: Sequence[str | None],
    *,
    no_witness: str = NO_SWITCH_EVIDENCE,
) -> WitnessResult:
    """Return what the switches' and GPUs' signed lists say of the host's own list.

    Only evidence that is worth something counts: switches of level `witness`, GPUs of level
    `chip-signed`, all under the round's one nonce. Everything else is passed over.

    Args:
        evidence: facts of every device of one round of one host.
        chips: the host's inventory: the PDI of every chip that it lists, None for one whose PDI
            the driver does not tell.
        no_witness: code to give when no switch's word can be taken.
    """
    words = [each for each in evidence if level(each) is Level.WITNESS]
    signers = [each for each in evidence if _is_chip(each)]
    switches = {each.pdi for each in words if each.pdi}
    gpus = {each.pdi for each in signers if each.pdi}
    listed = {pdi for pdi in chips if pdi is not None}
    seen = {pdi for word in words for pdi in word.gpu_pdis} | gpus
    named = {pdi: [word.pdi for word in words if pdi in word.gpu_pdis] for pdi in seen}
    hidden, undecided = _unlisted(
        signed=sorted(gpus - listed),
        named=sorted(seen - listed - gpus),
        unnamed=sum(pdi is None for pdi in chips),
    )
    linked = {pdi for gpu in signers for pdi in gpu.switch_pdis}
    result = WitnessResult(
        outcome=Witness.AGREE,
        hidden=tuple(HiddenChip(pdi=pdi, named_by=_sorted(named[pdi])) for pdi in hidden),
        undecided=tuple(undecided),
        unknown_switches=_sorted(switches - linked) if linked else (),
        missing_switches=_sorted(linked - switches) if switches else (),
        switches=_sorted(switches),
        chips=_sorted(pdi for pdi, names in named.items() if names),
    )
    return _concluded(result, no_witness)


def _concluded(result: WitnessResult, no_witness: str) -> WitnessResult:
    outcome = _worst(result)
    code = no_witness if outcome is Witness.NO_WITNESS else None
    return msgspec.structs.replace(result, outcome=outcome, code=code)


def _unlisted(*, signed: list[str], named: list[str], unnamed: int) -> tuple[list[str], list[str]]:
    """Return which of the unlisted chips are hidden for certain, and which may be listed unnamed.

    A chip that the host lists without a PDI may be any of them; those that signed come first.
    With more names than such chips some are hidden, nobody can tell which: all are given.
    """
    if len(signed) > unnamed:
        return [*signed, *named], []
    if len(named) > unnamed - len(signed):
        return named, []
    return [], named


def _is_chip(facts: EvidenceFacts) -> bool:
    return facts.device_class is DeviceClass.GPU and level(facts) in {
        Level.CHIP_SIGNED,
        Level.CHIP_SIGNED_FIRMWARE,
    }


def _worst(result: WitnessResult) -> Witness:
    if result.hidden:
        return Witness.HIDDEN_CHIP
    if result.unknown_switches:
        return Witness.UNKNOWN_SWITCH
    if not result.switches:
        return Witness.NO_WITNESS
    if result.missing_switches:
        return Witness.MISSING_SWITCH
    return Witness.UNDECIDED if result.undecided else Witness.AGREE


def _sorted(values: Iterable[str | None]) -> tuple[str, ...]:
    return tuple(sorted({value for value in values if value}))
