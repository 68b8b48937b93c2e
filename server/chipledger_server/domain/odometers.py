"""Odometers: counters of a chip that only ever grow, so that a step back says something.

Aggregate ECC errors and remapped rows are kept by the board for its life, the seconds with a
driver loaded by its black box. Counters that begin anew with a driver or a reset are not here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from operator import lt
from typing import Final

from msgspec.structs import astuple

from chipledger_evidence.inventory import Counters, Unread

UNKNOWN: Final = -1
"""Stands for a counter that was not read; every value is greater."""
NAMES: Final = (
    "corrected ECC errors",
    "uncorrected ECC errors",
    "rows remapped for corrected errors",
    "rows remapped for uncorrected errors",
    "seconds with a driver loaded",
)
MANY: Final = len(NAMES)
# A board writes its black box down now and then: what came after the last time may be lost.
_SLACK: Final = (0, 0, 0, 0, 3600)
_UNSUPPORTED: Final = frozenset({3, 13})  # nvml.h: NOT_SUPPORTED, FUNCTION_NOT_FOUND


@dataclass(slots=True, kw_only=True)
class Odometers:
    """The odometers of a host's chips, as last read.

    Attributes:
        inv: the inventory whose chips they are of, in its order.
        values: `MANY` for each chip, `UNKNOWN` where the newest token has none.
        gaps: where it has none and an earlier one had: the value last read, by place in `values`.
    """

    inv: str
    values: list[int]
    gaps: dict[int, int] = field(default_factory=dict)

    def known(self) -> list[int]:
        """Return the values last read, in this token or before."""
        return [self.gaps.get(place, value) for place, value in enumerate(self.values)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An odometer that did not go on.

    Attributes:
        chip: place of the chip in the inventory.
        name: what is counted.
        before: value last read.
        now: value of the new token.
    """

    chip: int
    name: str
    before: int
    now: int


def readings(counters: Sequence[Counters], chips: int) -> list[int]:
    """Return the values of a token for so many chips, `UNKNOWN` where it has none."""
    values = [
        value if type(value) is int else UNKNOWN
        for counter in counters
        for value in astuple(counter)
    ]
    wanted = chips * MANY
    if len(values) == wanted:
        return values
    return (values + [UNKNOWN] * wanted)[:wanted]


def gone_on(before: Odometers, counters: Sequence[Counters]) -> bool:
    """Take the values of a token over if every odometer stands where it stood or further.

    The plain case of every heartbeat, in few steps of the interpreter: numbers alone are compared,
    and anything else in a token that could be taken over is taken the longer way.
    """
    if before.gaps:
        return False
    try:
        values = list(chain.from_iterable(map(astuple, counters)))
        if len(values) != len(before.values) or any(map(lt, values, before.values)):
            return False
    except TypeError:  # one was not read
        values = readings(counters, len(before.values) // MANY)
        if any(map(lt, values, before.values)):
            return False
    before.values = values
    return True


def compare(before: Sequence[int], values: Sequence[int]) -> tuple[list[Step], dict[int, int]]:
    """Return the odometers that did not go on, and what was last read where nothing is now.

    Args:
        before: values last read, `UNKNOWN` where there never was one.
        values: values of the new token.
    """
    steps: list[Step] = []
    gaps: dict[int, int] = {}
    for place, (old, new) in enumerate(zip(before, values, strict=True)):
        if new == UNKNOWN and old != UNKNOWN:
            gaps[place] = old
        elif new < old - _SLACK[place % MANY]:
            name = NAMES[place % MANY]
            steps.append(Step(chip=place // MANY, name=name, before=old, now=new))
    return steps, gaps


def given_up(gaps: Iterable[int], counters: Sequence[Counters]) -> list[tuple[int, str]]:
    """Return those of the `gaps` that are said not to be offered: chip's place, and name."""
    found = []
    for place in gaps:
        chip, one = divmod(place, MANY)
        why = astuple(counters[chip])[one] if chip < len(counters) else None
        if why is None or (isinstance(why, Unread) and why.nvml in _UNSUPPORTED):
            found.append((chip, NAMES[one]))
    return found


def latest(live: Sequence[Sequence[int]], kept: Sequence[int]) -> list[int]:
    """Return what is known of one chip: what hosts that hold it read last, else what was kept."""
    best = [max(values) for values in zip(*live, strict=True)] or [UNKNOWN] * MANY
    return [old if new == UNKNOWN else new for new, old in zip(best, kept, strict=True)]
