"""The chips of an inventory, and whether its three views agree on each of them.

NVML, the PCI bus and the kernel module each list the devices. Agreement proves nothing against
root, but a lie in one view alone shows here, and a chip that NVML does not list is not lost.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import NamedTuple

from chipledger_evidence.inventory import Chip, Inventory, PciFunction, PciKind, ProcGpu

VGPU_GUEST = 2


class State(StrEnum):
    """What is known of one line of an inventory."""

    READ = "read"  # listed by NVML, and the other views agree
    LOST = "lost"  # listed, but its handle failed
    UNCONFIRMED = "unconfirmed"  # listed, and another view differs or could not be read
    UNIDENTIFIED = "unidentified"  # on the PCI bus only
    NOT_PHYSICAL = "not-physical"  # a vGPU: no claim of hardware at all


class Line(NamedTuple):  # made for every chip of every new inventory: half a dataclass's cost
    """One chip of an inventory, with what names it and its model."""

    place: int
    state: State
    uuid: str | None = None
    pdi: str | None = None
    serial: str | None = None
    board_part: str | None = None
    name: str | None = None
    device: str | None = None
    subsystem: str | None = None
    bdf: str | None = None


class Listed(NamedTuple):
    """The chips of an inventory, by what its lines are worth.

    Attributes:
        held: chips that the host claims by it.
        doubted: chips that NVML lists and another view contradicts or could not confirm: no
            claim begins by it, and none that stands is given up.
    """

    held: frozenset[int]
    doubted: frozenset[int]


_HELD = frozenset({State.READ, State.LOST})


def listed(lines: Iterable[tuple[int | None, State]]) -> Listed:
    """Return the chips of resolved lines by what the lines are worth."""
    known = [(chip, state) for chip, state in lines if chip is not None]
    return Listed(
        held=frozenset(chip for chip, state in known if state in _HELD),
        doubted=frozenset(chip for chip, state in known if state is State.UNCONFIRMED),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """The chips of an inventory, and in words where its views differ."""

    lines: tuple[Line, ...]
    differences: tuple[str, ...]


def check(inventory: Inventory) -> Checked:
    """Return the chips of `inventory` after comparing its views."""
    pci = {function.bdf: function for function in inventory.pci}
    proc = {gpu.bdf: gpu for gpu in inventory.proc}
    unread = frozenset(inventory.unread)
    names = [_names(chip) for chip in inventory.chips]
    named = Counter(chain.from_iterable(names))
    lines: list[Line] = []
    differences: list[str] = []
    for place, (chip, own) in enumerate(zip(inventory.chips, names, strict=True)):
        found = [*_differences(chip, pci, proc, unread), *_twins(chip, own, named)]
        differences += found
        lines.append(_line(place, chip, _state(chip, found, unread)))
    differences += _hidden(inventory)
    lines += _pci_only(inventory, first=len(lines))
    return Checked(lines=tuple(lines), differences=tuple(differences))


def _state(chip: Chip, differences: Sequence[str], unread: frozenset[str]) -> State:
    if chip.virtualization == VGPU_GUEST:
        return State.NOT_PHYSICAL
    if chip.lost is not None:
        return State.LOST
    if differences or chip.pci is None or unread & {"pci", "proc"}:
        return State.UNCONFIRMED
    return State.READ


def _differences(
    chip: Chip,
    pci: Mapping[str, PciFunction],
    proc: Mapping[str, ProcGpu],
    unread: frozenset[str],
) -> Iterator[str]:
    """Yield where the other views contradict NVML on one chip."""
    if chip.pci is None or chip.virtualization == VGPU_GUEST:
        return
    bdf = chip.pci.bdf
    function = pci.get(bdf)
    if function is not None:
        if function.device and chip.pci.device != function.device:
            yield f"{bdf}: device {chip.pci.device} by NVML, {function.device} on PCI"
        if function.subsystem and chip.pci.subsystem != function.subsystem:
            yield f"{bdf}: subsystem {chip.pci.subsystem} by NVML, {function.subsystem} on PCI"
    elif "pci" not in unread:
        yield f"{bdf}: listed by NVML, not on PCI"
    module = proc.get(bdf)
    if module is not None:
        if module.uuid and chip.uuid and module.uuid.lower() != chip.uuid.lower():
            yield f"{bdf}: {chip.uuid} by NVML, {module.uuid} by the kernel module"
    elif "proc" not in unread:
        yield f"{bdf}: listed by NVML, not by the kernel module"


def _names(chip: Chip) -> list[str]:
    """Return what names a physical chip and no other."""
    names = []
    if chip.virtualization != VGPU_GUEST:
        if chip.uuid:
            names.append(chip.uuid.lower())
        if chip.pdi:
            names.append(f"PDI {chip.pdi.lower()}")
    return names


def _twins(chip: Chip, names: Sequence[str], named: Mapping[str, int]) -> Iterator[str]:
    """Yield those `names` of a chip that another chip of the same host bears as well."""
    for name in names:
        if named[name] > 1:
            where = chip.uuid if chip.pci is None else chip.pci.bdf
            yield f"{where}: {name} names two chips or more"


def _hidden(inventory: Inventory) -> Iterator[str]:
    """Yield GPUs bound to the NVIDIA driver that NVML does not list."""
    if inventory.status != "ok":
        return  # nothing is listed, and that is another finding
    seen = {chip.pci.bdf for chip in inventory.chips if chip.pci is not None}
    seen.update(gpu.bdf for gpu in inventory.excluded if gpu.bdf is not None)
    for function in inventory.pci:
        if function.bdf in seen or function.kind is not PciKind.GPU or function.driver != "nvidia":
            continue
        yield f"{function.bdf}: bound to the driver, not listed by NVML"


def _pci_only(inventory: Inventory, *, first: int) -> Iterator[Line]:
    listed = {chip.pci.bdf for chip in inventory.chips if chip.pci is not None}
    # A chip that lost its handle may have lost its address too; then it is on PCI once more.
    unplaced = sum(1 for chip in inventory.chips if chip.pci is None)
    alone = [function for function in _gpus(inventory) if function.bdf not in listed]
    for place, function in enumerate(alone[unplaced:]):
        yield Line(
            place=first + place,
            state=State.UNIDENTIFIED,
            device=function.device or None,
            subsystem=function.subsystem,
            bdf=function.bdf,
        )


def _gpus(inventory: Inventory) -> Iterator[PciFunction]:
    return (function for function in inventory.pci if function.kind is PciKind.GPU)


def _line(place: int, chip: Chip, state: State) -> Line:
    return Line(
        place=place,
        state=state,
        uuid=chip.uuid,
        pdi=chip.pdi,
        serial=chip.serial,
        board_part=chip.board_part,
        name=chip.name,
        device=None if chip.pci is None else chip.pci.device,
        subsystem=None if chip.pci is None else chip.pci.subsystem,
        bdf=None if chip.pci is None else chip.pci.bdf,
    )
