"""docs/BOOK.md says what is watched, from when, how heavy, and for whom; and so do the words."""

import re
from pathlib import Path

import pytest

from chipledger_book import shipped
from chipledger_book.terms import Severity
from chipledger_book.timers import Threshold, Timer
from chipledger_book.watch import FactKind, WaitKind
from chipledger_book.watch.words import TIMER, WORDS

PAGE = (Path(__file__).parents[3] / "docs" / "BOOK.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## What is watched")[1].split("\n## ")[0]
TABLE = shipped.timers()
LASTING = {
    f"{kind}-lasting"
    for kind in ("missing", "overage", "transfer-late", "in-transit-late", "rma-returned")
}
LOADED_BESIDE = {"rma-open-long", "rma-open-return", "rma-rate-wide", *LASTING}
"""Severities by which some facts are weighed that are worse, or less bad, than their kind."""


def row(kind: FactKind) -> list[str]:
    """Return the cells of a kind's row."""
    (line,) = re.findall(rf"^\| `{kind}` \|.*\|$", SECTION, re.MULTILINE)
    return [cell.strip() for cell in line.strip("|").split("|")]


def limit(timer: Timer) -> str:
    """Return a limit as the page writes it."""
    found = next(one for one in TABLE.timers if one.timer is timer)
    if found.business_days is not None:
        return f"{found.business_days} business days"
    return f"{found.hours} h" if found.days is None else f"{found.days} d"


def steps(kind: str) -> str:
    """Return the severities of a kind as the page writes them."""
    rows = sorted((one.from_tpp, one.severity) for one in TABLE.severities if one.finding == kind)
    return ", ".join(f"{word} from {start:,}" if start else str(word) for start, word in rows)


@pytest.mark.parametrize("kind", FactKind)
def test_the_page_says_of_each_kind_what_the_tables_and_words_say(kind: FactKind) -> None:
    """Timer, severities, who acts, and what may be innocent."""
    _, what, timer, severity, who, innocent = row(kind)

    assert what
    named = TIMER.get(kind)
    assert timer == ("none" if named is None else f"`{named}` {limit(named)}")
    assert severity == steps(kind)
    assert who == WORDS[kind].who
    assert innocent == "; ".join(WORDS[kind].innocent)


@pytest.mark.parametrize("kind", FactKind)
def test_every_kind_has_words_and_a_weight(kind: FactKind) -> None:
    """An innocent explanation, something to do, and severities that begin at nothing."""
    words = WORDS[kind]

    assert words.innocent
    assert words.do.endswith(".")
    assert TABLE.severity(kind, 0, TABLE.head.valid_from) is Severity.LOW


def test_the_page_names_every_kind_of_wait() -> None:
    """A reader of the list of who is late meets no surprise."""
    assert all(f"`{kind}`" in SECTION for kind in WaitKind)


def test_the_shipped_table_has_every_timer_and_threshold_and_no_severity_for_nothing() -> None:
    """Nothing that is watched lacks its limit."""
    assert {one.timer for one in TABLE.timers} == {*Timer}
    assert {one.threshold for one in TABLE.thresholds} == {*Threshold}
    assert {one.finding for one in TABLE.severities} == {*FactKind} | LOADED_BESIDE
    assert all(name in SECTION for name in LOADED_BESIDE)
