"""What a sample is drawn from: the chips that somebody says are at a site, by name and place.

The list is frozen before the draw: its digest stands in the plan, so that nothing can be moved
out of the drawn part afterwards.
"""

from collections import Counter
from typing import Annotated, Final, Literal, TypeVar

import msgspec

from chipledger_book.counts.detection import MAX_CHIPS
from chipledger_book.errors import BookError, Code, Problem, refuse
from chipledger_book.terms import Millis, Pdi, Record, Serial, SkuName, Text, Uuid
from chipledger_evidence.appraisal.grades import Grade
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.ids import Digest, SiteName, sha256_b64, whole

MAX_SAMPLING_BYTES: Final = 512 * 1024 * 1024
"""Largest file of a population, plan or sample; a million chips take about 250 MB."""

Label = Annotated[
    str, whole(r"[^\W_][^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]{0,127}")
]
"""A name for people. It begins with a letter or digit, so that no spreadsheet computes it."""


class Unit(Record, frozen=True, kw_only=True):
    """One chip that ought to be there.

    Attributes:
        id: name of the chip in this population; the draw goes by it.
        grade: how it is known that it is there; a sample is how G0 and G1 are put to the test.
        sku: model, absent where it is not known.
        host: host that reported it.
        place: where it is said to be, as people find it: room, rack, slot.
        pdi: name of the chip itself.
        uuid: its NVML UUID.
        board: serial printed on its board; several chips may share one.
        server: serial printed on its server.
    """

    id: Label
    grade: Grade
    sku: SkuName | None = None
    host: Label | None = None
    place: Label | None = None
    pdi: Pdi | None = None
    uuid: Uuid | None = None
    board: Serial | None = None
    server: Serial | None = None

    @property
    def names(self) -> frozenset[str]:
        """What a scan of this chip, or of its board, can read."""
        return frozenset(
            name for name in (self.id, self.pdi, self.uuid, self.board) if name is not None
        )

    @property
    def places(self) -> frozenset[str]:
        """What a scan made at its place can say of that place."""
        return frozenset(name for name in (self.place, self.host, self.server) if name is not None)


class Population(Record, frozen=True, kw_only=True):
    """The chips of one site at one time, sorted by id.

    Attributes:
        as_of_ms: what was true at.
        known_at_ms: what was known at, or absent for everything recorded.
        source: where the list comes from, in words.
    """

    format: Literal["chipledger-population-1"]
    site: SiteName
    as_of_ms: Millis
    units: Annotated[tuple[Unit, ...], msgspec.Meta(min_length=1, max_length=MAX_CHIPS)]
    known_at_ms: Millis | None = None
    source: Text = ""


R = TypeVar("R", bound=Record)


def read_sampling_file(data: bytes, kind: type[R]) -> R:
    """Return what a file of this workflow holds: JSON in any layout.

    Raises:
        BookError: `malformed-sampling-file`.
    """
    if len(data) > MAX_SAMPLING_BYTES:
        raise _malformed(f"{len(data)} bytes, at most {MAX_SAMPLING_BYTES} are accepted")
    try:
        return msgspec.json.decode(data, type=kind, strict=True)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(str(error)) from error


def read_population(data: bytes) -> Population:
    """Return the population in a file, put in order.

    Raises:
        BookError: `malformed-sampling-file`, or `population-unit-repeated` for every repeated id.
    """
    return in_order(read_sampling_file(data, Population))


def in_order(population: Population) -> Population:
    """Return a population with its chips sorted by id, so that layout does not matter.

    Raises:
        BookError: `population-unit-repeated` for every repeated id.
    """
    times = Counter(unit.id for unit in population.units)
    twice = sorted(name for name, number in times.items() if number > 1)
    if twice:
        raise BookError(
            Problem(
                code=Code.POPULATION_UNIT_REPEATED,
                where="units",
                detail=f"{name} stands {times[name]} times",
                hint="list every chip once",
            )
            for name in twice
        )
    units = sorted(population.units, key=lambda unit: unit.id)
    return msgspec.structs.replace(population, units=tuple(units))


def digest_of(record: Record) -> Digest:
    """Return base64url(SHA-256(canonical encoding)): the name of a population, plan or sample."""
    return sha256_b64(encode_canonical(record))


def _malformed(detail: str) -> BookError:
    return refuse(
        Code.MALFORMED_SAMPLING_FILE, detail, hint="see docs/BOOK.md, Samples and physical counts"
    )
