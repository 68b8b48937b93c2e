"""The tables that ship with the package: the one place that reads package data.

Reading them is the only input of this package. Everything else takes parsed values, so a
table loaded and approved at run time is treated exactly as a shipped one.
"""

from functools import cache
from importlib.resources import files
from typing import Final, TypeVar

from chipledger_book.calendars import Calendars
from chipledger_book.catalogue import Catalogue
from chipledger_book.entities import AuthorisedEntities
from chipledger_book.errors import Code, refuse
from chipledger_book.rules import CountryLists, RuleSet, Tables
from chipledger_book.table_kinds import check_table, read_table
from chipledger_book.tables import Table, TableKind
from chipledger_book.timers import Timers

_DATA: Final = files("chipledger_book") / "data"
_FILES: Final = (
    "chips-2026-10-05.json",
    "chips-2026-11-23.json",
    "chips-2026-11-23.2.json",
    "us-ear-countries-2026-07-23.json",
    "us-ear-countries-2026-07-23.2.json",
    "us-ear-entities-2026-07-14.json",
    "us-diffusion-2025.json",
    "us-diffusion-2025.2.json",
    "us-diffusion-2025.3.json",
    "us-destination-2026.json",
    "us-china-2026.json",
    "us-dc-veu-2025.json",
    "chipledger-timers-2026-11-23.json",
    "us-reporting-calendars-2025-01-13.json",
    "us-reporting-calendars-2025-01-13.2.json",
)
"""Oldest first: what a table names stands before it, a newer version behind the older."""

FIRST_RULES: Final = "us-diffusion-2025"
"""The rule set that holds until another one is adopted."""
T = TypeVar("T", bound=Table)


@cache
def every() -> tuple[Table, ...]:
    """Return every shipped version of every table, each checked, oldest first."""
    known: dict[tuple[TableKind, str], Table] = {}
    found = []
    for name in _FILES:
        table = check_table(read_table((_DATA / name).read_bytes()), known)
        known[table.head.kind, table.head.id] = table
        found.append(table)
    return tuple(found)


def newest() -> dict[tuple[TableKind, str], Table]:
    """Return the newest shipped version of every table, by kind and id."""
    return {(table.head.kind, table.head.id): table for table in every()}


def _newest(struct: type[T], name: str) -> T:
    found = [table for table in every() if isinstance(table, struct) and table.head.id == name]
    if not found:
        raise refuse(Code.UNKNOWN_TABLE, f"no table {name} ships", hint="name a shipped table")
    return found[-1]


def catalogue() -> Catalogue:
    """Return the newest shipped chip catalogue."""
    return _newest(Catalogue, "chips")


def country_lists() -> CountryLists:
    """Return the newest shipped country lists of the United States export rules."""
    return _newest(CountryLists, "us-ear-countries")


def entities() -> AuthorisedEntities:
    """Return the newest shipped table of parties authorised by name."""
    return _newest(AuthorisedEntities, "us-ear-entities")


def rule_set_2025() -> RuleSet:
    """Return the rule set of January 2025: codified, not enforced."""
    return _newest(RuleSet, FIRST_RULES)


def timers() -> Timers:
    """Return the newest shipped timers, thresholds and severities: proposed by Chipledger."""
    return next(one for one in reversed(every()) if isinstance(one, Timers))


def calendars() -> Calendars:
    """Return the reporting calendars of the United States export rules."""
    return next(one for one in reversed(every()) if isinstance(one, Calendars))


def tables(rules: str = FIRST_RULES) -> Tables:
    """Return the shipped tables under a shipped rule set: that of January 2025.

    Raises:
        BookError: `unknown-table`.
    """
    chosen = _newest(RuleSet, rules)
    return Tables(
        catalogue=catalogue(),
        countries=_newest(CountryLists, chosen.country_lists),
        rules=chosen,
        entities=_newest(AuthorisedEntities, chosen.entities) if chosen.entities else None,
        calendars=calendars(),
        timers=timers(),
    )
