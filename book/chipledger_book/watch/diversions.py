"""What the book can be expected to show: ways of diverting chips, papers, and what is then found.

The table is data, so that a page can print it and a generated year can be held to it in both
ways: what it says is found must be found within its timer, and what it calls unseen must open
nothing. It stands beside the table of attacks on hosts and evidence
(:mod:`chipledger_evidence.appraisal.attacks`).
"""

from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Annotated, Final

import msgspec

from chipledger_book.terms import Record
from chipledger_book.timers import Timer
from chipledger_book.watch.facts import FactKind
from chipledger_evidence.ids import whole

_FILE: Final = files("chipledger_book") / "data" / "diversions-2026-11-23.json"

Name = Annotated[str, whole("[a-z][a-z0-9-]{0,63}")]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=512)]


class Papers(StrEnum):
    """How the papers of a site name chips."""

    CHIPS = "chips"  # each chip by PDI and UUID
    SERVERS = "servers"  # servers and trays by serial, which no host reports
    COUNT = "count"  # model and number


class Help(StrEnum):
    """What outsiders add."""

    FEED = "feed"  # records of customs or sellers
    INSPECTION = "inspection"  # somebody goes there and opens boxes


class Column(StrEnum):
    """Columns of the balance in which diverted chips stand."""

    UNACCOUNTED = "unaccounted"
    SILENT = "silent"
    OVERAGE = "overage"
    STORED = "stored"


class Result(StrEnum):
    """What becomes of a diversion."""

    FINDING = "finding"  # a finding of the kind opens when the timer has passed
    CANNOT_SEE = "cannot-see"  # nothing shows it


class Outcome(Record, frozen=True, kw_only=True):
    """What becomes of a diversion by certain papers.

    Attributes:
        papers: for which papers this is so.
        given: what outsiders must add for it; None: the ledger and the hosts alone.
        result: what becomes of it.
        kind: the finding.
        timer: what must have passed since `since`; None: it is found at the next look.
        since: what the time counts from.
        also: other kinds of findings that the same chips raise, then or later.
        balance: columns in which exactly the diverted chips stand once it is found.
    """

    papers: Annotated[tuple[Papers, ...], msgspec.Meta(min_length=1)]
    result: Result
    given: Help | None = None
    kind: FactKind | None = None
    timer: Timer | None = None
    since: Words | None = None
    also: tuple[FactKind, ...] = ()
    balance: tuple[Column, ...] = ()


class Diversion(Record, frozen=True, kw_only=True):
    """One way to divert chips.

    Attributes:
        id: stable name.
        diversion: what is done.
        seen_in: a known case that had it, or empty.
        outcomes: what becomes of it: by every kind of papers without help, and where help helps.
        remains: what is still possible.
    """

    id: Name
    diversion: Words
    outcomes: Annotated[tuple[Outcome, ...], msgspec.Meta(min_length=1)]
    remains: Words
    seen_in: Annotated[str, msgspec.Meta(max_length=128)] = ""

    def outcome(self, papers: Papers, given: Help | None = None) -> Outcome | None:
        """Return what becomes of it, or None where such help adds nothing to what is said."""
        return next(
            (one for one in self.outcomes if papers in one.papers and one.given is given), None
        )


class Diversions(Record, frozen=True, kw_only=True):
    """The whole table.

    Attributes:
        id: name of the table.
        version: the day of its content.
        papers: each kind of papers in words.
        help: each kind of help in words.
        diversions: the rows.
    """

    id: Name
    version: Annotated[str, whole("[0-9]{4}-[0-9]{2}-[0-9]{2}")]
    papers: dict[Papers, Words]
    help: dict[Help, Words]
    diversions: tuple[Diversion, ...]


def parse_diversions(data: bytes) -> Diversions:
    """Return the table in `data` (JSON, any layout).

    Raises:
        ValueError: it is not of the format, a row speaks of papers twice or not at all, or a
            finding comes without its kind or without what its time counts from.
    """
    table = msgspec.json.decode(data, type=Diversions, strict=True)
    if set(table.papers) != set(Papers) or set(table.help) != set(Help):
        raise ValueError("every kind of papers and of help needs its words")
    if len({one.id for one in table.diversions}) != len(table.diversions):
        raise ValueError("two diversions have one name")
    for one in table.diversions:
        _check(one)
    return table


def _check(diversion: Diversion) -> None:
    said = [(papers, one.given) for one in diversion.outcomes for papers in one.papers]
    if sorted(papers for papers, given in said if given is None) != sorted(Papers):
        raise ValueError(f"{diversion.id}: every kind of papers once without help, not {said}")
    if len({*said}) != len(said):
        raise ValueError(f"{diversion.id}: papers and help twice in {said}")
    for outcome in diversion.outcomes:
        found = outcome.result is Result.FINDING
        if found != (outcome.kind is not None) or found != (outcome.since is not None):
            raise ValueError(f"{diversion.id}: a finding has a kind and a beginning, nothing else")
        if not found and (outcome.timer or outcome.also or outcome.balance):
            raise ValueError(f"{diversion.id}: what is not seen raises nothing")


@cache
def diversions() -> Diversions:
    """Return the shipped table."""
    return parse_diversions(_FILE.read_bytes())
