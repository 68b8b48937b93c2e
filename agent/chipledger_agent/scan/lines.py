"""What the scan child says to its parent: JSON lines, each a view as soon as it is known.

The parent merges whatever arrived before the child ended, hung or died, so the order is the
order of trust in surviving: PCI and /proc first, then the driver, then chip by chip.
"""

import msgspec

from chipledger_evidence.inventory import (
    Chip,
    Count,
    Counters,
    Driver,
    Excluded,
    Library,
    PciFunction,
    ProcGpu,
    Reasons,
    Status,
    Unread,
)


class _Line(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="line"
):
    """Base of every line."""


class Began(_Line, frozen=True, tag="began"):
    """The child runs; how it was told to reach NVML, and what surrounds it."""

    provider: str
    preload: bool
    overlaid: tuple[str, ...] = ()
    visible_devices: str | None = None
    hardware: str | None = None


class PciView(_Line, frozen=True, tag="pci"):
    """Every PCI function of the vendor, from sysfs."""

    functions: tuple[PciFunction, ...] = ()
    unread: Reasons = {}


class ProcView(_Line, frozen=True, tag="proc"):
    """The kernel module's own word."""

    module_version: str | None = None
    gpus: tuple[ProcGpu, ...] = ()
    unread: Reasons = {}


class Loaded(_Line, frozen=True, tag="loaded"):
    """The library that was mapped."""

    library: Library | None = None
    unread: Reasons = {}


class Failed(_Line, frozen=True, tag="failed"):
    """NVML as a whole could not be used."""

    status: Status
    error: Unread


class DriverView(_Line, frozen=True, tag="driver"):
    """Driver facts from NVML."""

    driver: Driver = Driver()
    unread: Reasons = {}


class Counted(_Line, frozen=True, tag="counted"):
    """How many devices NVML counts."""

    devices: Count


class ChipPart(_Line, frozen=True, tag="part"):
    """The identity of a chip whose other fields are still being read."""

    chip: Chip
    pending: tuple[str, ...] = ()


class ChipRead(_Line, frozen=True, tag="chip"):
    """One chip, complete."""

    chip: Chip
    counters: Counters = Counters()


class ExcludedView(_Line, frozen=True, tag="excluded"):
    """Chips the administrator hid from NVML."""

    devices: tuple[Excluded, ...] = ()
    unread: Reasons = {}


class Done(_Line, frozen=True, tag="done"):
    """The scan went to its end; nothing follows."""


Line = (
    Began | PciView | ProcView | Loaded | Failed | DriverView | Counted | ChipPart | ChipRead
    | ExcludedView | Done
)  # fmt: skip

_DECODER = msgspec.json.Decoder(Line)


def encode_line(line: Line) -> bytes:
    """Return the line with its line feed."""
    return msgspec.json.encode(line) + b"\n"


DONE = encode_line(Done())
"""The last line of every scan that went to its end."""


def decode_line(data: bytes) -> Line:
    """Return the line in `data`.

    Raises:
        msgspec.DecodeError: it is not one of ours.
    """
    line: Line = _DECODER.decode(data)
    return line
