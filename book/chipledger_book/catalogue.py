"""The chip catalogue: what a model is called, how it is recognised, and what it counts.

TPP and ECCN are assertions with a source, never computed here; the basis beside each TPP lets
a reader check the arithmetic. A model that is not in the catalogue is *unknown*: a finding,
never zero TPP.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from chipledger_book.errors import Code, refuse
from chipledger_book.tables import Table, in_force_on, overlap
from chipledger_book.terms import MAX_INTEGER, Force, Name, PciId, Record, SkuName, Text

Positive = Annotated[int, msgspec.Meta(ge=1, le=MAX_INTEGER)]
UnitKind = Literal["tray", "server", "rack"]
Eccn = Literal["3A090.a", "3A090.b", "letter", "none"]
"""Asserted control: the entry of the Commerce Control List, an individual letter, or none."""


class PciMatch(Record, frozen=True, kw_only=True):
    """A PCI device id, and the subsystem ids seen with it (empty: any; boards vary)."""

    device: PciId
    subsystems: tuple[PciId, ...] = ()


class Basis(Record, frozen=True, kw_only=True):
    """The rate a TPP stands on: TPP = dense_gops * bits / 1000, rounded."""

    precision: Name
    bits: Positive
    dense_gops: Positive
    """Dense (not sparse) rate in 10^9 operations a second, a multiply-add counted as two."""


class Reading(Record, frozen=True, kw_only=True):
    """Another number that somebody holds for the same model."""

    tpp: Positive
    why: Text


class Sku(Record, frozen=True, kw_only=True):
    """One chip model, in one validity.

    Attributes:
        sku: our name for it.
        maker: who designed it.
        tpp: total processing performance of one package.
        basis: the rate behind `tpp`.
        eccn: asserted control.
        datacenter: designed or marketed for data centres.
        source: where `tpp` and the identity come from.
        confidence: how sure the reviewer is of the row.
        reviewed_by: who checked the row.
        reviewed_on: when.
        names: name strings of the driver, exact.
        pci: PCI identities.
        board_parts: prefixes of board part numbers; a prefix may belong to several models.
        devices: devices that `packages` packages show to the operating system.
        packages: see `devices`; one chip is one package.
        packages_per_board: packages that share one board serial.
        memory_mib: memory as the driver prints it; never used to identify.
        density_milli: performance density in thousandths.
        dram_bandwidth_gb_s: peak bandwidth of the package's memory, 10^9 bytes a second.
        dram_source: where that number comes from.
        dram_confidence: how sure the reviewer is of it; None: nobody said.
        declared_only: no agent can see it yet; it can be received and declared.
        other_readings: other TPP in circulation.
        note: what a reader should know.
        status: legal status of the row, where it differs from the table's.
        valid_from: first day of the row, inclusive.
        valid_to: last day of the row, inclusive.
    """

    sku: SkuName
    maker: Name
    tpp: Positive
    basis: Basis
    eccn: Eccn
    datacenter: bool
    source: Text
    confidence: Literal["high", "medium", "low"]
    reviewed_by: Name
    reviewed_on: date
    names: tuple[Name, ...] = ()
    pci: tuple[PciMatch, ...] = ()
    board_parts: tuple[Name, ...] = ()
    devices: Positive = 1
    packages: Positive = 1
    packages_per_board: Positive = 1
    memory_mib: Positive | None = None
    density_milli: Positive | None = None
    dram_bandwidth_gb_s: Positive | None = None
    dram_source: Text = ""
    dram_confidence: Literal["high", "medium", "low"] | None = None
    declared_only: bool = False
    other_readings: tuple[Reading, ...] = ()
    note: Text = ""
    status: Force | None = None
    valid_from: date | None = None
    valid_to: date | None = None

    @property
    def controlled(self) -> bool:
        """Tell whether the model is asserted to be under any control."""
        return self.eccn != "none"


class UnitModel(Record, frozen=True, kw_only=True):
    """A tray, server or rack model and how many packages of which SKU it holds."""

    model: SkuName
    kind: UnitKind
    sku: SkuName
    packages: Positive
    source: Text


class Catalogue(Table, frozen=True, kw_only=True):
    """All chip models and the units that hold them."""

    skus: tuple[Sku, ...]
    units: tuple[UnitModel, ...] = ()

    def rows_on(self, day: date) -> Iterator[Sku]:
        """Yield the rows whose validity holds `day`."""
        return (row for row in self.skus if in_force_on(day, row.valid_from, row.valid_to))

    def find(self, sku: str, day: date) -> Sku | None:
        """Return the row of a SKU on a day, or None."""
        return next((row for row in self.rows_on(day) if row.sku == sku), None)

    def sku(self, sku: str, day: date) -> Sku:
        """Return the row of a SKU on a day.

        Raises:
            BookError: `unknown-sku`.
        """
        row = self.find(sku, day)
        if row is None:
            raise refuse(
                Code.UNKNOWN_SKU,
                f"the catalogue {self.head.version} has no {sku} on {day}",
                hint="name a SKU of the catalogue, or load a catalogue that has it",
            )
        return row

    def unit(self, model: str) -> UnitModel | None:
        """Return a unit model by name, or None."""
        return next((unit for unit in self.units if unit.model == model), None)


def check_catalogue(catalogue: Catalogue) -> Catalogue:
    """Return the catalogue, once its rows are known not to contradict each other.

    Raises:
        BookError: `table-dates-overlap`, `table-entry-repeated` or `unknown-sku`.
    """
    seen: dict[str, list[Sku]] = {}
    for row in catalogue.skus:
        for other in seen.setdefault(row.sku, []):
            if overlap((row.valid_from, row.valid_to), (other.valid_from, other.valid_to)):
                raise refuse(
                    Code.TABLE_DATES_OVERLAP,
                    f"two rows of {row.sku} are valid on the same day",
                    hint="end the older row the day before the newer starts",
                )
        seen[row.sku].append(row)
    models = [unit.model for unit in catalogue.units]
    for unit in catalogue.units:
        if models.count(unit.model) > 1:
            raise refuse(
                Code.TABLE_ENTRY_REPEATED,
                f"unit model {unit.model} stands twice",
                hint="keep one row per unit model",
            )
        if unit.sku not in seen:
            raise refuse(
                Code.UNKNOWN_SKU,
                f"unit model {unit.model} holds {unit.sku}, which has no row",
                hint="add the SKU or correct the unit",
            )
    return catalogue


class ObservedModel(Record, frozen=True, kw_only=True):
    """What was observed of one device's model; absent members were not observed."""

    device: PciId | None = None
    subsystem: PciId | None = None
    board_part: Text | None = None
    name: Text | None = None


class MatchedBy(StrEnum):
    """Which observation decided the model."""

    PCI_SUBSYSTEM = "pci-subsystem"
    PCI_DEVICE = "pci-device"
    BOARD_PART = "board-part"
    NAME = "name"


class UnknownReason(StrEnum):
    """Why no model could be named."""

    NOTHING_OBSERVED = "nothing-observed"
    NOT_IN_CATALOGUE = "not-in-catalogue"
    AMBIGUOUS = "ambiguous"


class Disagreement(Record, frozen=True, kw_only=True):
    """Another observation of the same device names other models than the decided one."""

    observed: Literal["board-part", "name"]
    value: Text
    names: tuple[SkuName, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """A device is of this model.

    Attributes:
        sku: row of the catalogue.
        by: the observation that decided.
        disagreements: weaker observations that say something else; a finding, not a veto.
    """

    sku: Sku
    by: MatchedBy
    disagreements: tuple[Disagreement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """A device's model is not known: a finding, never zero TPP.

    Attributes:
        reason: why.
        detail: what was observed, for the finding.
        candidates: models that some observation names, if any.
    """

    reason: UnknownReason
    detail: str
    candidates: tuple[str, ...] = ()


def identify(observed: ObservedModel, catalogue: Catalogue, day: date) -> Identified | Unknown:
    """Name the model of an observed device: PCI ids first, then part number, then name.

    A PCI device id that the catalogue does not hold leaves the model unknown even where part
    number or name would fit, because those are texts that firmware and drivers fill. Where
    several models share the deciding observation, weaker ones narrow it down.
    """
    rows = tuple(catalogue.rows_on(day))
    by_board = _by_board(rows, observed.board_part)
    by_name = tuple(row for row in rows if observed.name and observed.name in row.names)
    if observed.device is not None:
        by, found = _by_pci(rows, observed)
    elif by_board:
        by, found = MatchedBy.BOARD_PART, by_board
    else:
        by, found = MatchedBy.NAME, by_name
    for weaker in (by_board, by_name):
        if len(found) > 1 and any(row in found for row in weaker):
            found = tuple(row for row in found if row in weaker)
    if len(found) != 1:
        return _unknown(observed, found, (*by_board, *by_name))
    weak = (("board-part", observed.board_part, by_board), ("name", observed.name, by_name))
    return Identified(
        sku=found[0],
        by=by,
        disagreements=tuple(
            Disagreement(
                observed="board-part" if kind == "board-part" else "name",
                value=value or "",
                names=tuple(row.sku for row in rows_named),
            )
            for kind, value, rows_named in weak
            if rows_named and found[0] not in rows_named
        ),
    )


def _by_pci(rows: tuple[Sku, ...], observed: ObservedModel) -> tuple[MatchedBy, tuple[Sku, ...]]:
    """Return the models of a PCI device id, narrowed by subsystem where one is listed."""
    matches = [(row, pci) for row in rows for pci in row.pci if pci.device == observed.device]
    exact = tuple(row for row, pci in matches if observed.subsystem in pci.subsystems)
    if exact:
        return MatchedBy.PCI_SUBSYSTEM, exact
    return MatchedBy.PCI_DEVICE, tuple(dict.fromkeys(row for row, _ in matches))


def _by_board(rows: tuple[Sku, ...], board_part: str | None) -> tuple[Sku, ...]:
    """Return the models with the longest fitting part number prefix."""
    fits = [
        (len(prefix), row)
        for row in rows
        for prefix in row.board_parts
        if board_part and board_part.startswith(prefix)
    ]
    longest = max((length for length, _ in fits), default=0)
    return tuple(row for length, row in fits if length == longest)


def _unknown(observed: ObservedModel, found: tuple[Sku, ...], hints: tuple[Sku, ...]) -> Unknown:
    """Return why the observation names no single model."""
    parts = {
        "device": observed.device,
        "subsystem": observed.subsystem,
        "board part": observed.board_part,
        "name": observed.name,
    }
    said = ", ".join(f"{label} {value}" for label, value in parts.items() if value)
    candidates = tuple(dict.fromkeys(row.sku for row in (found or hints)))
    if not said:
        return Unknown(reason=UnknownReason.NOTHING_OBSERVED, detail="nothing was observed")
    reason = UnknownReason.AMBIGUOUS if found else UnknownReason.NOT_IN_CATALOGUE
    return Unknown(reason=reason, detail=said, candidates=candidates)
