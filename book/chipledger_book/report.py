"""What a reconciliation answers: one struct that is API, export and signed report at once.

Unlike the ledger's structs, a report writes every member, zeros and nulls too: a column that
is not there yet reads 0, it is not missing.
"""

from datetime import date
from enum import StrEnum
from typing import Literal

import msgspec

from chipledger_book.catalogue import Disagreement, ObservedModel
from chipledger_book.licences import LicenceType, QuantityUnit
from chipledger_book.physical import ChipState
from chipledger_book.rule_report import RulesView
from chipledger_book.tables import TableVersion
from chipledger_evidence.appraisal.grades import Grade


class View(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every struct of a report."""


class Physical(StrEnum):
    """Verdict of book against attested."""

    AGREES = "agrees"
    NOTHING_TO_COMPARE = "nothing-to-compare"  # nothing received and nothing seen
    UNRESOLVED = "unresolved"  # nothing missing or over, but silent, disputed or only under seal
    UNACCOUNTED = "unaccounted"
    OVERAGE = "overage"
    BOTH = "both"  # some unaccounted for and some over; they never offset each other


class Authorisation(StrEnum):
    """Verdict of what is held against what was allowed."""

    WITHIN = "within"
    UNKNOWN_MODEL = "unknown-model"  # nothing over, but chips whose TPP is not known
    NOT_AUTHORISED = "not-authorised"  # no licence or exception covers some model at all
    EXCEEDED = "exceeded"
    NOT_REQUIRED = "not-required"


class GradeStack(View, frozen=True, kw_only=True):
    """Present chips by grade. G1 is self-reported: the driver's word, nothing stronger."""

    G1: int
    G2: int
    G3: int
    G4: int

    @property
    def total(self) -> int:
        """All present chips."""
        return self.G1 + self.G2 + self.G3 + self.G4


def stack(grades: list[Grade]) -> GradeStack:
    """Return the stack of present chips of these grades."""
    counts = {grade: grades.count(grade) for grade in (Grade.G1, Grade.G2, Grade.G3, Grade.G4)}
    return GradeStack(**{grade.value: count for grade, count in counts.items()})


class BalanceRow(View, frozen=True, kw_only=True):
    """The balance of one model at one site, in pieces unless the name says TPP.

    book = opening + received + transfer_in + rma_in - shipped - transfer_out - rma_out - disposed
    book + overdrawn = matched_by_identity + matched_by_count + stored + explained + silent
                       + disputed + unaccounted
    present.total = matched_by_identity + matched_by_count + overage

    Attributes:
        sku: the model.
        controlled: asserted to be under any control; only such rows make the site's verdict.
        tpp_each: TPP of one chip.
        licensed_pieces: what licence lines for this model allow, or null without such a line.
        licensed_tpp: the same for lines in TPP or equivalents.
        overdrawn: chips that left on paper and that the book did not have.
        present: fresh chips by grade, on the book or not.
        declared: chips that only a document declares (G0); fills no hole.
        stored: booked chips under seal of which nothing was seen.
        explained: booked chips whose absence an auditor accepted.
        silent: booked chips that were seen and no longer answer.
        disputed: booked chips whose claim here is contested.
        unaccounted: booked chips that nothing above fills.
        overage: present chips that are not on the book.
        silent_off_book: silent chips that are not on the book.
        disputed_off_book: disputed chips that are not on the book; counted nowhere.
        verdict: physical verdict of the row.
    """

    sku: str
    controlled: bool
    tpp_each: int
    licensed_pieces: int | None
    licensed_tpp: int | None
    opening: int
    received: int
    transfer_in: int
    rma_in: int
    shipped: int
    transfer_out: int
    rma_out: int
    disposed: int
    book: int
    overdrawn: int
    present: GradeStack
    declared: int
    stored: int
    explained: int
    silent: int
    disputed: int
    unaccounted: int
    overage: int
    silent_off_book: int
    disputed_off_book: int
    matched_by_identity: int
    matched_by_count: int
    book_tpp: int
    present_tpp: int
    unaccounted_tpp: int
    overage_tpp: int
    verdict: Physical

    @property
    def seen(self) -> int:
        """Chips that were seen here and are not known to be elsewhere."""
        return self.present.total + self.silent + self.silent_off_book + self.stored


class UnknownModel(View, frozen=True, kw_only=True):
    """Chips of a model that the catalogue does not know: a finding, never zero TPP."""

    observed: ObservedModel
    reason: str
    candidates: tuple[str, ...]
    present: GradeStack
    silent: int
    disputed: int
    declared: int
    chips: tuple[str, ...]


class Hole(View, frozen=True, kw_only=True):
    """Booked chips that nothing fills: event, line and place of the receipt."""

    sku: str
    event: str
    line: int
    place: int
    chips: int
    names: dict[str, str]


class OffBook(View, frozen=True, kw_only=True):
    """A seen chip that fills no booked one."""

    sku: str
    chip: str
    host: str
    state: ChipState


class Sides(StrEnum):
    """On whose word an event stands where two parties meet."""

    OPEN = "open-one-sided"  # one party said it, the other not, or not all of it
    DOCUMENT = "accepted-document"  # the other party is represented by a paper; one-sided
    BOTH = "two-sided"


class OneSided(View, frozen=True, kw_only=True):
    """An event of this site that both parties have not said.

    Attributes:
        event: its id.
        type: its kind.
        since_ms: when it happened.
        other: the other side, a party or a site.
        sides: open, or represented by a document.
        strength: strongest statement behind it, or null where the statements were not read.
        other_strength: the same of what answers it.
        left: model → pieces that nothing of the other side answers.
    """

    event: str
    type: str
    since_ms: int
    other: str
    sides: Sides
    strength: str | None
    other_strength: str | None
    left: dict[str, int]


class ModelDoubt(View, frozen=True, kw_only=True):
    """A chip whose weaker observations name another model than the one it counts as."""

    chip: str
    sku: str
    disagreements: tuple[Disagreement, ...]


class LineUse(View, frozen=True, kw_only=True):
    """How far one licence line is used.

    Attributes:
        limit: what it allows, in `counted_in`; of a licence that ended, or is for a consignee
            that the site no longer has, what was drawn from it.
        counted_in: pieces or TPP (equivalents are counted in TPP).
        used: drawn from it by all sites it covers.
        left: limit - used.
        limit_tpp: the limit in TPP, or null for pieces of any model while there is room.
        used_tpp: the use in TPP.
    """

    sku: str | None
    unit: QuantityUnit
    amount: int
    reference: str | None
    limit: int
    counted_in: Literal["pieces", "tpp"]
    used: int
    left: int
    limit_tpp: int | None
    used_tpp: int


class LicenceUse(View, frozen=True, kw_only=True):
    """How far one licence that covers the site, or covered it under an earlier form, is used.

    Attributes:
        valid: valid on the day of `as_of`; a licence that ended still covers what arrived in time.
        open: the site may draw on it at `as_of`: valid, and for the site as it is declared then.
        lines: its quantities; without lines the claimed exception is not limited here.
    """

    issuer: str
    number: str
    type: LicenceType
    valid_from: date
    valid_to: date
    valid: bool
    open: bool
    lines: tuple[LineUse, ...]


class CeilingUse(View, frozen=True, kw_only=True):
    """How far a ceiling of the rule set is used. `left` below zero is the excess.

    Listed are those of the site's subject, and those of former subjects that the site used.

    Attributes:
        subject: who has it: an ultimate parent.
        window: calendar year.
        open: the site may draw on it at `as_of`: the window holds that day, and the claim is
            entered, valid and for this site. One that is not open gives the site no room.
        sites: sites that used it.
    """

    ceiling: str
    subject: str
    window: str
    open: bool
    sites: tuple[str, ...]
    limit_tpp: int
    used_tpp: int
    left_tpp: int


class Uncovered(View, frozen=True, kw_only=True):
    """Chips at the site that no licence line has room for.

    Attributes:
        why: `exceeded` where some line is for them, `not-authorised` where none is.
        charged_to: issuer and number of the licence that their receipt names, or null.
    """

    sku: str
    pieces: int
    tpp: int
    why: Literal["exceeded", "not-authorised"]
    charged_to: tuple[str, str] | None


class PeakUse(View, frozen=True, kw_only=True):
    """The most of one controlled model that was at the site within the period.

    Licences and ceilings are used by the peak: what is gone on the day of an audit was there.

    Attributes:
        pieces: the larger of `arrived` and `seen`.
        at_ms: when it was first reached.
        last_ms: when it was last so.
        arrived: what had arrived by `at_ms`, swaps of an RMA left out.
        seen: chips seen at `at_ms`.
    """

    sku: str
    pieces: int
    at_ms: int
    last_ms: int
    arrived: int
    seen: int


class TppSummary(View, frozen=True, kw_only=True):
    """The site's controlled chips in TPP.

    Attributes:
        book: on paper.
        present: fresh chips.
        counted: the larger of book and seen, model by model.
        used: drawn, by every site they cover, from the licence lines that cover or covered this
            site and from this year's ceilings that are open to it or that it used.
        beyond: the site's chips that nothing covers, and the whole excess of this year's ceilings
            that it used, whoever caused it; 0 where no licence is needed.
        left: room of the lines and ceilings that are open to the site, together; each is only
            for the chips that it is for. Null unless the verdict is `within`, and where one of
            them has no limit in TPP: then no room is stated.
    """

    book: int
    present: int
    counted: int
    used: int
    beyond: int
    left: int | None


class SiteReport(View, frozen=True, kw_only=True):
    """The balance and both verdicts of one site at one time.

    Attributes:
        v: version of this format.
        tier: tier under the rule set, or null without one that holds the day.
        period_start_ms: start of the period that `opening` opens, or null.
        as_of_ms: what was true at.
        known_at_ms: what was known at, or null for everything recorded.
        tables: versions of every table used.
        physical: book against attested; never merged with the next.
        authorisation: held against allowed.
        one_sided: what two parties met over and that both have not said.
        peaks: the most of each controlled model within the period.
        rules: what the rule set says beside its ceilings, or null without one that holds the day.
    """

    site: str
    name: str
    country: str
    test: bool
    operator: str
    consignee: str
    ultimate_parent: str
    tier: str | None
    as_of_ms: int
    period_start_ms: int | None
    known_at_ms: int | None
    tables: tuple[TableVersion, ...]
    physical: Physical
    authorisation: Authorisation
    rows: tuple[BalanceRow, ...]
    unknown_models: tuple[UnknownModel, ...]
    tpp: TppSummary
    licences: tuple[LicenceUse, ...]
    ceilings: tuple[CeilingUse, ...]
    uncovered: tuple[Uncovered, ...]
    holes: tuple[Hole, ...]
    off_book: tuple[OffBook, ...]
    model_doubts: tuple[ModelDoubt, ...]
    one_sided: tuple[OneSided, ...]
    peaks: tuple[PeakUse, ...] = ()
    rules: RulesView | None = None
    v: Literal[1] = 1
