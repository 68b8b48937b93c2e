"""What a site holds in TPP, and what it may still receive: no allowance lends room to another.

A licence line or a ceiling is *open* to a site that may draw on it at `as_of`. Only what is open
has room, each for the chips that it is for.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from chipledger_book.licences import LicenceType
from chipledger_book.limit_kinds import current_labels
from chipledger_book.report import (
    Authorisation,
    BalanceRow,
    CeilingUse,
    LicenceUse,
    TppSummary,
    Uncovered,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowances:
    """What bears on one site.

    Attributes:
        site: the site.
        day: day of `as_of`; ceilings of windows that do not hold it are closed.
        licences: licences that cover it or covered it.
        ceilings: ceilings of its parent, or that it used.
        uncovered: its chips that nothing covers.
        over_limits_tpp: TPP beyond limits of the rule set that the site counts for.
        room_tpp: the least room under such limits, or None without any.
    """

    site: str
    day: date
    licences: tuple[LicenceUse, ...]
    ceilings: tuple[CeilingUse, ...]
    uncovered: tuple[Uncovered, ...]
    over_limits_tpp: int = 0
    room_tpp: int | None = None

    def current(self) -> list[CeilingUse]:
        """Return the ceilings of windows of the day, open to the site or used by it."""
        now = current_labels(self.day)
        return [
            use
            for use in self.ceilings
            if use.window in now and (use.open or self.site in use.sites)
        ]


def tpp_summary(
    rows: Iterable[BalanceRow], allowances: Allowances, verdict: Authorisation
) -> TppSummary:
    """Return the controlled chips of a site in TPP, against what it may have."""
    held = [row for row in rows if row.controlled]
    lines = [line for licence in allowances.licences for line in licence.lines]
    return TppSummary(
        book=sum(row.book_tpp for row in held),
        present=sum(row.present_tpp for row in held),
        counted=sum(max(row.book, row.seen) * row.tpp_each for row in held),
        used=sum(line.used_tpp for line in lines)
        + sum(use.used_tpp for use in allowances.current()),
        beyond=0 if verdict is Authorisation.NOT_REQUIRED else _beyond(allowances),
        left=_left(allowances) if verdict is Authorisation.WITHIN else None,
    )


def _beyond(allowances: Allowances) -> int:
    """Return the chips nothing covers, and the excess of ceilings and limits the site used."""
    over = sum(
        max(0, -use.left_tpp) for use in allowances.current() if allowances.site in use.sites
    )
    return sum(entry.tpp for entry in allowances.uncovered) + over + allowances.over_limits_tpp


def _left(allowances: Allowances) -> int | None:
    """Return the room of what is open, or None where one of it has no limit in TPP."""
    left = 0
    for licence in allowances.licences:
        if not licence.open:
            continue
        if not licence.lines and licence.type is not LicenceType.LPP:
            return None
        for line in licence.lines:
            if line.limit_tpp is None:
                return None
            left += line.limit_tpp - line.used_tpp
    left += sum(max(0, use.left_tpp) for use in allowances.current() if use.open)
    return left if allowances.room_tpp is None else min(left, allowances.room_tpp)
