"""The tables that ship with the package: the one place that reads package data.

Reading them is the only input of this package. Everything else takes parsed values, so a
table loaded and approved at run time is treated exactly as a shipped one.
"""

from functools import cache
from importlib.resources import files
from typing import Final

from chipledger_book.calendars import Calendars, check_calendars
from chipledger_book.catalogue import Catalogue, check_catalogue
from chipledger_book.rules import (
    CountryLists,
    RuleSet,
    Tables,
    check_country_lists,
    check_rule_set,
)
from chipledger_book.tables import parse_table
from chipledger_book.timers import Timers, check_timers

_DATA: Final = files("chipledger_book") / "data"


@cache
def catalogue() -> Catalogue:
    """Return the newest shipped chip catalogue."""
    data = (_DATA / "chips-2026-10-05.json").read_bytes()
    return check_catalogue(parse_table(data, Catalogue))


@cache
def country_lists() -> CountryLists:
    """Return the newest shipped country lists of the United States export rules."""
    data = (_DATA / "us-ear-countries-2026-07-23.json").read_bytes()
    return check_country_lists(parse_table(data, CountryLists))


@cache
def rule_set_2025() -> RuleSet:
    """Return the rule set of January 2025: codified, not enforced."""
    data = (_DATA / "us-diffusion-2025.json").read_bytes()
    return check_rule_set(parse_table(data, RuleSet), country_lists())


@cache
def timers() -> Timers:
    """Return the newest shipped timers, thresholds and severities: proposed by Chipledger."""
    data = (_DATA / "chipledger-timers-2026-11-23.json").read_bytes()
    return check_timers(parse_table(data, Timers))


@cache
def calendars() -> Calendars:
    """Return the reporting calendars of the United States export rules."""
    data = (_DATA / "us-reporting-calendars-2025-01-13.json").read_bytes()
    return check_calendars(parse_table(data, Calendars))


def tables() -> Tables:
    """Return the shipped tables under the rule set of January 2025."""
    return Tables(
        catalogue=catalogue(),
        countries=country_lists(),
        rules=rule_set_2025(),
        calendars=calendars(),
        timers=timers(),
    )
