"""What stands above every report: with it, the same report can be made again.

It names the question, the population, both times, every table and software version, how strong
each kind of fact is, and what none of it can see.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from chipledger_book.periods.document import PeriodDocument
from chipledger_book.report import View
from chipledger_book.reports.sheets import Sheet, moment
from chipledger_book.tables import TableVersion
from chipledger_evidence.appraisal.grades import GRADE_WORDS, Grade

STRENGTH: Final = (
    (
        "Book: what parties stated. A statement is signed with the party's own key (party-key), "
        "confirmed with a passkey (passkey), entered by an account (session: no signature), or a "
        "paper that an auditor accepted (document, one-sided)."
    ),
    "Two-sided: both parties said it. Open one-sided: one did.",
    (
        "Present: fresh reports of agents, by grade: "
        + ", ".join(f"{grade.value} {GRADE_WORDS[grade]}" for grade in Grade)
        + ". G0 fills no place on the book."
    ),
    (
        "Matched by identity: a name of the chip is a name on the book. Matched by count: some "
        "chip of the model, which one is not known; its date received is that of some thing of "
        "its model."
    ),
    "Stored: under a seal that the operator reports; nothing of it was seen.",
)
"""How strong each kind of fact in a report is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One document that a report is made of.

    Attributes:
        document: the document.
        digest: what is signed of it; None of a draft, which nobody keeps.
        stage: `draft`, `frozen`, `signed` or `closed`.
    """

    document: PeriodDocument
    digest: str | None = None
    stage: str = "draft"


class DocumentNamed(View, frozen=True, kw_only=True):
    """How a report names a document that it was made of."""

    site: str
    stage: str
    version: int
    restatement: int
    digest: str | None
    known_at_ms: int
    as_of_ms: int


class Header(View, frozen=True, kw_only=True):
    """What a report says of itself.

    Attributes:
        report: kind of report.
        title: the same for people.
        model: the public duty whose shape it has.
        query: what was asked, by name.
        population: what the rows were taken from.
        as_of_ms: what was true then.
        known_at_ms: what was known then.
        documents: what it was made of; a draft has no digest.
        tables: versions of every table used.
        code: software that made the document or draft.
        made_by: software that made the report.
        appraisal: version of the policy that graded the chips.
        strength: how strong each kind of fact is.
        cannot_see: what none of it can see.
    """

    report: str
    title: str
    model: str
    query: dict[str, str]
    population: str
    as_of_ms: int
    known_at_ms: int
    documents: tuple[DocumentNamed, ...]
    tables: tuple[TableVersion, ...]
    code: str
    made_by: str
    appraisal: str
    strength: tuple[str, ...]
    cannot_see: tuple[str, ...]

    @property
    def stage(self) -> str:
        """The stage of the document that was asked for."""
        return self.documents[0].stage

    def lines(self) -> tuple[tuple[str, str], ...]:
        """Return what it says, as names and texts."""
        query = ", ".join(f"{name}={self.query[name]}" for name in sorted(self.query))
        return (
            ("report", self.report),
            ("title", self.title),
            ("shape", self.model),
            ("query", query),
            ("population", self.population),
            ("as of", moment(self.as_of_ms) or ""),
            ("known at", moment(self.known_at_ms) or ""),
            *(("document", _named(one)) for one in self.documents),
            *(
                ("table", f"{one.kind} {one.id} {one.version} ({one.status}) {one.digest}")
                for one in self.tables
            ),
            ("appraisal policy", self.appraisal),
            ("document made by", self.code),
            ("report made by", self.made_by),
        )


def _named(one: DocumentNamed) -> str:
    if one.digest is None:
        return f"{one.site}: draft, computed for this report and signed by nobody"
    restated = f", restatement {one.restatement}" if one.restatement else ""
    return f"{one.site}: {one.stage}, version {one.version}{restated}, digest {one.digest}"


class Report(Protocol):
    """A report as it is written down."""

    @property
    def header(self) -> Header:
        """What it says of itself."""

    def sheets(self) -> tuple[Sheet, ...]:
        """Return its tables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Titled:
    """Kind, title and model of a report."""

    report: str
    title: str
    model: str


def header_of(
    titled: Titled,
    sources: Sequence[Source],
    *,
    population: str,
    made_by: str,
    query: dict[str, str] | None = None,
) -> Header:
    """Return the header of a report made of documents, the one that was asked for first."""
    first = sources[0].document
    asked = {
        "site": first.site.id,
        "first_day": str(first.first_day),
        "last_day": str(first.last_day),
    }
    return Header(
        report=titled.report,
        title=titled.title,
        model=titled.model,
        query={**asked, **(query or {})},
        population=population,
        as_of_ms=first.as_of_ms,
        known_at_ms=first.known_at_ms,
        documents=tuple(_document(source) for source in sources),
        tables=first.tables,
        code=first.code,
        made_by=made_by,
        appraisal=first.appraisal,
        strength=STRENGTH,
        cannot_see=first.cannot_see,
    )


def _document(source: Source) -> DocumentNamed:
    return DocumentNamed(
        site=source.document.site.id,
        stage=source.stage,
        version=source.document.version,
        restatement=source.document.restatement,
        digest=source.digest,
        known_at_ms=source.document.known_at_ms,
        as_of_ms=source.document.as_of_ms,
    )
