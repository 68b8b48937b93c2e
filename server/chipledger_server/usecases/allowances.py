"""What a site may have, one line for each licence line and ceiling, in words. Pure.

Room is said only where it is: an allowance that is not for the site gives it none, and what is
beyond one allowance is never set off against the room of another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from chipledger_book.licences import LicenceType
from chipledger_book.report import (
    Authorisation,
    CeilingUse,
    LicenceUse,
    LineUse,
    SiteReport,
    Uncovered,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """One licence line or ceiling, as one site stands to it.

    Attributes:
        name: issuer and number of the licence, or ceiling and year; of chips that no allowance
            has room for: that there is none.
        about: kind of licence, or whose ceiling it is and who else used it.
        covers: model.
        period: when it holds.
        open: whether the site may draw on it at the time asked for.
        limit: in `unit`, or None where it has none.
        used: drawn from it by every site it covers, or None where nothing is counted.
        left: room, or None where it is not for the site or has no limit.
        beyond: what goes beyond it.
        unit: ``pieces`` or ``TPP``.
        note: what a reader must know about it, or nothing.
    """

    name: str
    about: str
    covers: str
    period: str
    open: bool
    limit: int | None
    used: int | None
    left: int | None
    beyond: int
    unit: str
    note: str = ""

    @property
    def room(self) -> str:
        """What is left or beyond, in words."""
        if self.beyond:
            words = f"{_counted(self.beyond, self.unit)} beyond"
        elif self.left is None:
            return self.note or "not limited here"
        else:
            words = f"{_counted(self.left, self.unit)} left"
        return f"{words}, {self.note}" if self.note else words


def allowances(report: SiteReport) -> list[Allowance]:
    """Return licence lines, then ceilings, then chips that none of them is for."""
    found: list[Allowance] = []
    pending = list(report.uncovered)
    for licence in report.licences:
        found += _licence(licence, pending)
    found += [_ceiling(use, report) for use in report.ceilings]
    needed = report.authorisation is not Authorisation.NOT_REQUIRED
    return found + [_none(entry) for entry in pending if needed]


def shared_with(use: CeilingUse, site: str) -> str:
    """Return which other sites used a ceiling: ``shared with johor-1``; nothing if none did."""
    others = [one for one in use.sites if one != site]
    if not others:
        return ""
    ours = use.open or site in use.sites
    return f"{'shared with' if ours else 'used by'} {_names(others)}"


_NAMED: Final = 3
"""How many sites are named before the rest is counted."""


def _names(sites: Sequence[str]) -> str:
    more = len(sites) - _NAMED
    return ", ".join(sites[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _licence(licence: LicenceUse, pending: list[Uncovered]) -> Iterable[Allowance]:
    """Yield the lines of a licence; what was charged to it and has no room is beyond it."""
    for line in sorted(licence.lines, key=lambda line: line.sku is None):
        charged = [entry for entry in pending if _beyond_line(entry, licence, line)]
        pending[:] = [entry for entry in pending if entry not in charged]
        in_tpp = line.counted_in == "tpp"
        yield Allowance(
            name=f"{licence.issuer} {licence.number}",
            about=licence.type,
            covers=line.sku or "any model",
            period=_days(licence),
            open=licence.open,
            limit=line.limit,
            used=line.used,
            left=line.left if licence.open else 0,
            beyond=sum(entry.tpp if in_tpp else entry.pieces for entry in charged),
            unit="TPP" if in_tpp else "pieces",
            note=_closed(licence),
        )
    if not licence.lines:
        by_ceiling = licence.type is LicenceType.LPP
        yield Allowance(
            name=f"{licence.issuer} {licence.number}",
            about=licence.type,
            covers="any model",
            period=_days(licence),
            open=licence.open,
            limit=None,
            used=None,
            left=None,
            beyond=0,
            unit="TPP",
            note="counts against the ceiling" if by_ceiling else _closed(licence),
        )


def _beyond_line(entry: Uncovered, licence: LicenceUse, line: LineUse) -> bool:
    return (
        entry.charged_to == (licence.issuer, licence.number)
        and entry.why == "exceeded"
        and line.sku in (None, entry.sku)
    )


def _days(licence: LicenceUse) -> str:
    return f"{licence.valid_from} to {licence.valid_to}"


def _closed(licence: LicenceUse) -> str:
    if licence.open:
        return ""
    return "no longer for this site" if licence.valid else "not valid now"


def _ceiling(use: CeilingUse, report: SiteReport) -> Allowance:
    ours = use.open or report.site in use.sites
    note = "" if use.open else "closed" if ours else "not for this site"
    shared = shared_with(use, report.site)
    return Allowance(
        name=f"{use.ceiling.upper()} ceiling {use.window}",
        about=f"{use.subject}, {shared}" if shared else use.subject,
        covers="controlled",
        period=f"{use.window}, counted on receipt",
        open=use.open,
        limit=use.limit_tpp,
        used=use.used_tpp,
        left=max(0, use.left_tpp) if use.open else None,
        beyond=max(0, -use.left_tpp),
        unit="TPP",
        note=note,
    )


def _none(entry: Uncovered) -> Allowance:
    full = entry.why == "exceeded"
    charged = f"charged to {' '.join(entry.charged_to)}" if entry.charged_to else ""
    return Allowance(
        name="every licence line is full" if full else "no allowance",
        about=charged,
        covers=entry.sku,
        period="",
        open=False,
        limit=None,
        used=None,
        left=None,
        beyond=entry.pieces,
        unit="pieces",
    )


def _counted(amount: int, unit: str) -> str:
    return f"{amount:,} {'piece' if unit == 'pieces' and amount == 1 else unit}"
