"""What was seen: the physical side of the balance, one entry a chip and site.

These are structs because there are as many as chips: a frozen dataclass takes five times as long
to make, and the garbage collector looks at each again and again.
"""

from enum import StrEnum

import msgspec

from chipledger_book.catalogue import ObservedModel
from chipledger_evidence.appraisal.grades import Grade


class ChipState(StrEnum):
    """What is known of a chip that was seen at a site.

    The order is the order in which chips fill the book.
    """

    PRESENT = "present"  # fresh, G1 or better
    SILENT = "silent"  # was present; its host or the chip itself no longer answers
    DISPUTED = "disputed"  # claimed here, but counted elsewhere


class SeenChip(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One chip as an agent saw it at one site.

    Names compare with those of receipts: a chip has a PDI and a UUID, sits on a board with a
    serial, in a tray, server and rack. Give a tray, server or rack serial only when it is the
    one printed on that thing, because a differing serial means "not this one".

    Attributes:
        chip_id: the collector's id of the chip.
        site: site it was seen at.
        host: host it was seen on.
        grade: G1 to G4.
        state: present, silent or disputed.
        model: what was observed of its model; identified against the catalogue of the verdict.
        sku: the model, where it is decided otherwise than by observation.
        pdi: 16 lower-case hex digits.
        uuid: NVML UUID.
        board: board serial.
        tray: tray serial.
        server: server serial.
        rack: rack serial.
    """

    chip_id: str
    site: str
    host: str
    grade: Grade
    state: ChipState
    model: ObservedModel = ObservedModel()
    sku: str | None = None
    pdi: str | None = None
    uuid: str | None = None
    board: str | None = None
    tray: str | None = None
    server: str | None = None
    rack: str | None = None

    def __post_init__(self) -> None:
        if self.grade is Grade.G0:
            message = "a seen chip is G1 or better; what is only declared is an event"
            raise ValueError(message)


class Stay(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An unbroken run of fresh sightings of one chip on one host.

    Silence shorter than what the policy allows does not break a run; moving to another host, or
    being away longer, does. The history of a chip is its stays in the order of their time.

    Attributes:
        chip_id: the collector's id of the chip.
        site: site of the host.
        host: host it was seen on.
        from_ms: first fresh sighting.
        until_ms: last fresh sighting so far.
        grade: best grade it reached in this run.
        sku: its model, where it is known.
        pdi: 16 lower-case hex digits.
        uuid: NVML UUID.
        board: board serial.
        tray: tray serial.
        server: server serial.
        rack: rack serial.
    """

    chip_id: str
    site: str
    host: str
    from_ms: int
    until_ms: int
    grade: Grade
    sku: str | None = None
    pdi: str | None = None
    uuid: str | None = None
    board: str | None = None
    tray: str | None = None
    server: str | None = None
    rack: str | None = None
