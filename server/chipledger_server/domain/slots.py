"""Slots: which chip stood where, so that another one in its place is seen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One chip of a resolved inventory.

    Attributes:
        chip: its id, or None for one that has no identity.
        bdf: its PCI address, if it has one.
        name: what to call it.
        serial: its board's serial number, if it says one.
    """

    chip: int | None
    bdf: str | None
    name: str
    serial: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """Another chip in a slot.

    Attributes:
        bdf: the slot, by its PCI address.
        before: the chip that stood there last.
        now: the chip that stands there.
    """

    bdf: str
    before: int
    now: int


def swapped(
    before: Mapping[str, int], now: Mapping[str, int], elsewhere: Callable[[int], bool]
) -> list[Swap]:
    """Return the slots whose chip is another and where the one before is seen nowhere.

    Args:
        before: the chip last seen in each slot of a host.
        now: the chip in each slot by the newest inventory.
        elsewhere: whether another host says to hold a chip: then it has moved.
    """
    here = frozenset(now.values())
    return [
        Swap(bdf=bdf, before=before[bdf], now=chip)
        for bdf, chip in sorted(now.items())
        if before.get(bdf, chip) != chip and before[bdf] not in here and not elsewhere(before[bdf])
    ]
