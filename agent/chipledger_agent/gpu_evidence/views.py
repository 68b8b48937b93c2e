"""What the BMC lists, held against what the driver reported. Pure.

A difference is not a verdict: a BMC of older firmware, or a board that was swapped a minute ago,
differs innocently. It is signed beside the evidence, and the collector weighs it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chipledger_agent.domain.evidence import REDFISH, ReasonCode, why
from chipledger_evidence.claims import NoEvidence
from chipledger_evidence.inventory import Chip, Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class BmcChip:
    """One GPU as the BMC lists it.

    Attributes:
        name: the BMC's name of its root of trust.
        pdi: 16 lower-case hex digits, where it says so.
        board_serial: serial of the board that carries it, where it says so.
    """

    name: str
    pdi: str | None
    board_serial: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BmcTray:
    """Where in its rack the BMC believes to be."""

    slot: int | None
    tray: int | None


def differences(
    listed: Sequence[BmcChip], tray: BmcTray | None, inventory: Inventory
) -> list[NoEvidence]:
    """Return where the two views differ; what one of them leaves out is no difference."""
    return [
        *_chips(listed, inventory),
        *_serials(listed, inventory),
        *(_places(tray, inventory) if tray else ()),
    ]


def _chips(listed: Sequence[BmcChip], inventory: Inventory) -> Iterator[NoEvidence]:
    reported = [chip.pdi for chip in inventory.chips]
    theirs = [chip.pdi for chip in listed]
    if None in reported or None in theirs:  # a driver before 580 names no PDI: count
        if len(theirs) > len(reported):
            words = f"{len(theirs)} chips, {len(reported)} by the driver"
            yield why(REDFISH, ReasonCode.BMC_CHIP_UNREPORTED, detail=words)
        return
    for chip in listed:
        if chip.pdi not in reported:
            yield why(REDFISH, ReasonCode.BMC_CHIP_UNREPORTED, detail=f"{chip.name} {chip.pdi}")
    for place, pdi in enumerate(reported):
        if pdi not in theirs:
            yield why(REDFISH, ReasonCode.BMC_CHIP_UNSEEN, chip=place, detail=pdi or "")


def _serials(listed: Sequence[BmcChip], inventory: Inventory) -> Iterator[NoEvidence]:
    by_pdi = {chip.pdi: chip.board_serial for chip in listed if chip.pdi and chip.board_serial}
    for place, chip in enumerate(inventory.chips):
        theirs = by_pdi.get(chip.pdi) if chip.pdi else None
        if theirs and chip.serial and theirs != chip.serial:
            words = f"{theirs} by the BMC, {chip.serial} by the driver"
            yield why(REDFISH, ReasonCode.BMC_SERIAL_DIFFERS, chip=place, detail=words)


def _places(tray: BmcTray, inventory: Inventory) -> Iterator[NoEvidence]:
    for place, chip in enumerate(inventory.chips):
        words = _place_differs(tray, chip)
        if words:
            yield why(REDFISH, ReasonCode.BMC_SLOT_DIFFERS, chip=place, detail=words)


def _place_differs(tray: BmcTray, chip: Chip) -> str:
    said = chip.platform
    if said is None:
        return ""
    pairs = {"slot": (tray.slot, said.slot), "tray": (tray.tray, said.tray)}
    return ", ".join(
        f"{name} {theirs} by the BMC, {ours} by the driver"
        for name, (theirs, ours) in pairs.items()
        if theirs is not None and ours is not None and theirs != ours
    )
