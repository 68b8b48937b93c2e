"""The honest words for verdicts, grades and states, for tables and screens alike.

Nothing here says more than is known: what a driver reported is *self-reported*, whatever it is.
"""

from collections.abc import Iterable
from typing import Final

from chipledger_book.report import Authorisation, BalanceRow, Physical, SiteReport, Uncovered
from chipledger_evidence.appraisal.grades import GRADE_WORDS, Grade
from chipledger_server.usecases.allowances import allowances, shared_with

PHYSICAL_WORDS: Final = {
    Physical.AGREES: "book and reports agree",
    Physical.NOTHING_TO_COMPARE: "no controlled chip was received or seen",
    Physical.UNRESOLVED: "nothing missing or over, but chips are silent, disputed or under seal",
    Physical.UNACCOUNTED: "booked chips are unaccounted for",
    Physical.OVERAGE: "chips are present that are not on the book",
    Physical.BOTH: "booked chips are unaccounted for, and others are present off the book",
}
"""What the physical verdict says: book against what agents report."""

AUTHORISATION_WORDS: Final = {
    Authorisation.WITHIN: "within what was allowed",
    Authorisation.UNKNOWN_MODEL: "nothing over, but chips of unknown TPP are present",
    Authorisation.NOT_AUTHORISED: "chips that no licence or exception covers",
    Authorisation.EXCEEDED: "more than was allowed",
    Authorisation.NOT_REQUIRED: "no licence needed here",
}
"""What the authorisation verdict says: what is held against what was allowed."""


def grade_words(grade: Grade) -> str:
    """Return a grade with its word: ``self-reported (G1)``."""
    return f"{GRADE_WORDS[grade]} ({grade.value})"


def number(value: int) -> str:
    """Return an integer with its thousands apart: ``26,900,000``."""
    return f"{value:,}"


def pieces(count: int, thing: str = "chip") -> str:
    """Return a count with its noun: ``1 chip``, ``8 chips``."""
    return f"{number(count)} {thing}" if count == 1 else f"{number(count)} {thing}s"


def licensed(row: BalanceRow) -> str:
    """Return what lines for a model allow, each in what it counts; a dash without such a line."""
    parts = []
    if row.licensed_pieces is not None:
        parts.append(number(row.licensed_pieces))
    if row.licensed_tpp is not None:
        parts.append(f"{number(row.licensed_tpp)} TPP")
    return " + ".join(parts) or "-"


def physical_reason(report: SiteReport) -> str:
    """Return what the physical verdict stands on, in numbers."""
    rows = [row for row in report.rows if row.controlled]
    counts = (
        ("unaccounted for", sum(row.unaccounted for row in rows)),
        ("off the book", sum(row.overage + row.silent_off_book for row in rows)),
        ("of unknown model", sum(unknown_count(report))),
        ("silent", sum(row.silent for row in rows)),
        ("disputed", sum(row.disputed + row.disputed_off_book for row in rows)),
        ("not seen and said to be under seal", sum(row.stored for row in rows)),
        ("that left on paper and were not on the book", sum(row.overdrawn for row in rows)),
        ("declared, neither received nor seen", _only_declared(report)),
    )
    return _listed(f"{pieces(count)} {words}" for words, count in counts if count)


def _only_declared(report: SiteReport) -> int:
    """Return the declared chips of a site that has nothing else; they were compared with none."""
    if report.physical is not Physical.NOTHING_TO_COMPARE:
        return 0
    return sum(row.declared for row in report.rows if row.controlled) + sum(
        model.declared for model in report.unknown_models
    )


def authorisation_reason(report: SiteReport) -> str:
    """Return what the authorisation verdict stands on, in numbers."""
    parts = [
        f"{pieces(entry.pieces)} {entry.sku} ({number(entry.tpp)} TPP) {_without(entry)}"
        for entry in report.uncovered
    ]
    return _listed([*parts, *_ceiling_trouble(report)])


def _without(entry: Uncovered) -> str:
    if entry.charged_to is not None:
        named = " ".join(entry.charged_to)
        return f"beyond {named}" if entry.why == "exceeded" else f"that {named} is not for"
    return "beyond every licence line" if entry.why == "exceeded" else "without a licence line"


def _ceiling_trouble(report: SiteReport) -> Iterable[str]:
    """Yield the ceilings that are exceeded, and who used them besides or instead of the site."""
    for use in report.ceilings:
        if use.left_tpp < 0:
            shared = shared_with(use, report.site)
            about = f", {shared}," if shared else ""
            excess = number(-use.left_tpp)
            yield f"{use.ceiling.upper()} ceiling {use.window}{about} exceeded by {excess} TPP"


def unknown_count(report: SiteReport) -> list[int]:
    """Return how many chips of each unknown model were seen."""
    return [model.present.total + model.silent + model.disputed for model in report.unknown_models]


def tpp_use(report: SiteReport) -> str:
    """Return what is held in TPP, and what is beyond or left; room is said only `within`."""
    tpp = report.tpp
    held = f"{number(tpp.counted)} TPP held"
    match report.authorisation:
        case Authorisation.NOT_REQUIRED:
            return f"{held}, no licence needed"
        case Authorisation.UNKNOWN_MODEL:
            return f"{held}, and chips whose TPP is not known"
        case Authorisation.EXCEEDED | Authorisation.NOT_AUTHORISED:
            return f"{number(tpp.beyond)} TPP beyond what is allowed; {held}"
        case Authorisation.WITHIN:
            return f"{held}; {_room(report)}"


def _room(report: SiteReport) -> str:
    """Return the room of a site that is within; of several allowances it is no sum to spend."""
    able = [one for one in allowances(report) if one.open and one.limit is not None]
    left = report.tpp.left
    if left is None:
        return "no limit in TPP is stated"
    if not able:
        return "nothing more is allowed here"
    if len(able) == 1:
        return f"{number(left)} TPP left under {able[0].name}"
    return f"at most {number(left)} TPP left under {len(able)} allowances, each for its own chips"


def _listed(parts: Iterable[str]) -> str:
    return "; ".join(parts)
