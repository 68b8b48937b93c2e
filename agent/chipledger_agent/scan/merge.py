"""From the lines of one scan child to one inventory, whatever became of the child. Pure.

Nothing told is dropped, and a count never shrinks: a device that NVML counted and the child
did not come to stands in the inventory with the reason why it was not read.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from itertools import islice
from typing import TypeVar

import msgspec

from chipledger_agent.domain.claims import Scan
from chipledger_agent.scan.lines import (
    Began,
    ChipPart,
    ChipRead,
    Counted,
    Done,
    DriverView,
    ExcludedView,
    Failed,
    Line,
    Loaded,
    PciView,
    ProcView,
)
from chipledger_evidence.inventory import (
    MAX_CHIPS,
    Chip,
    Counters,
    Inventory,
    Provider,
    Status,
    Unread,
    Why,
)

_MAX_REASONS = 64
T = TypeVar("T")


class Ending(StrEnum):
    """How the child came to its end."""

    FINISHED = "finished"
    TIMED_OUT = "timed-out"
    CRASHED = "crashed"
    FAILED = "failed"


_STATUS = {
    Ending.TIMED_OUT: (Status.NVML_UNRESPONSIVE, Why.TIMEOUT),
    Ending.CRASHED: (Status.NVML_CRASHED, Why.CRASH),
    Ending.FAILED: (Status.SCAN_FAILED, Why.OS_ERROR),
}


def merge(lines: Sequence[Line], ending: Ending, *, provider: str) -> Scan:
    """Return what a child saw.

    Args:
        lines: what it told, in order.
        ending: how it ended; lines told before a bad end stand.
        provider: kind of provider to state when the child never said its own.
    """
    ending = _true_ending(lines, ending)
    status, error = _status(lines, ending)
    began = _last(lines, Began) or Began(provider=provider, preload=False)
    pci, proc = _last(lines, PciView) or PciView(), _last(lines, ProcView) or ProcView()
    told = _last(lines, DriverView) or DriverView()
    loaded = _last(lines, Loaded) or Loaded()
    counted = _last(lines, Counted)
    excluded = _last(lines, ExcludedView) or ExcludedView()
    chips = _chips(lines, ending)
    views = (pci, proc, loaded, told, excluded)
    unread = {path: reason for view in views for path, reason in view.unread.items()}
    if counted is None and error is not None:
        unread["device_count"] = error
    inventory = Inventory(
        status=status,
        error=error,
        provider=_provider(began, loaded),
        driver=msgspec.structs.replace(told.driver, kernel_module=proc.module_version),
        device_count=None if counted is None else counted.devices,
        chips=tuple(chip.chip for chip in chips),
        excluded=excluded.devices,
        pci=pci.functions,
        proc=proc.gpus,
        hardware=began.hardware,
        unread=dict(islice(unread.items(), _MAX_REASONS)),
    )
    return Scan(inventory=inventory, counters=tuple(chip.counters for chip in chips))


def _provider(began: Began, loaded: Loaded) -> Provider:
    return Provider(
        kind=began.provider,
        library=loaded.library,
        preload=began.preload,
        overlaid=began.overlaid,
        visible_devices=began.visible_devices,
    )


def _last(lines: Sequence[Line], kind: type[T]) -> T | None:
    return next((line for line in reversed(lines) if isinstance(line, kind)), None)


def _true_ending(lines: Sequence[Line], ending: Ending) -> Ending:
    """A child that told everything has finished, however it went away afterwards."""
    if _last(lines, Done) is not None:
        return Ending.FINISHED
    return Ending.FAILED if ending is Ending.FINISHED else ending


def _status(lines: Sequence[Line], ending: Ending) -> tuple[Status, Unread | None]:
    failed = _last(lines, Failed)
    if failed is not None:
        return failed.status, failed.error
    if ending is Ending.FINISHED:
        return Status.OK, None
    status, why = _STATUS[ending]
    return status, Unread(why=why)


def _chips(lines: Sequence[Line], ending: Ending) -> tuple[ChipRead, ...]:
    """Return every device NVML counted, in index order."""
    listed = {line.chip.index: line for line in lines if isinstance(line, ChipRead)}
    if ending is not Ending.FINISHED:
        why = Unread(why=_STATUS[ending][1])
        part, counted = _last(lines, ChipPart), _last(lines, Counted)
        if part is not None and part.chip.index not in listed:
            listed[part.chip.index] = _interrupted(part, why)
        for index in range(min(counted.devices if counted else 0, MAX_CHIPS)):
            listed.setdefault(index, ChipRead(chip=Chip(index=index, lost=why)))
    return tuple(listed[index] for index in sorted(listed))


def _interrupted(part: ChipPart, why: Unread) -> ChipRead:
    """Return a chip of which only the identity was read; the rest carries the reason."""
    unread = {**part.chip.unread, **dict.fromkeys(part.pending, why)}
    chip = msgspec.structs.replace(part.chip, unread=dict(islice(unread.items(), _MAX_REASONS)))
    return ChipRead(
        chip=chip,
        counters=Counters(
            ecc_corrected=why,
            ecc_uncorrected=why,
            rows_corrected=why,
            rows_uncorrected=why,
            bbx_seconds=why,
        ),
    )


def stuck(scan: Scan) -> Scan:
    """Return `scan` (the views that need no NVML) as that of a host whose NVML still hangs."""
    why = Unread(why=Why.TIMEOUT)
    unread = {**scan.inventory.unread, "device_count": why}
    return replace(
        scan,
        inventory=msgspec.structs.replace(
            scan.inventory, status=Status.NVML_UNRESPONSIVE, error=why, unread=unread
        ),
    )
