"""No name on the wire or in the book has a second spelling."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import inspect

from chipledger_book.catalogue import Catalogue
from chipledger_book.events import LedgerRecord
from chipledger_book.rules import CountryLists, RuleSet
from chipledger_evidence.answers import Challenge, ChallengeRequest, ReportAnswer
from chipledger_evidence.claims import FullReport, Heartbeat
from chipledger_evidence.enrolment import Enrolment, EnrolmentRequest
from chipledger_evidence.entry import Entry, TokenAccepted

WRITTEN = (
    FullReport, Heartbeat, EnrolmentRequest, Enrolment, ChallengeRequest, Challenge,
    ReportAnswer, Entry, TokenAccepted, LedgerRecord, Catalogue, CountryLists, RuleSet,
)  # fmt: skip
_ONE = ("type", "item_type", "key_type", "value_type")
_MANY = ("types", "item_types")


def patterns(kind: Any, known: set[type]) -> Iterator[str]:  # noqa: ANN401 - any node of it
    """Yield the pattern of every text below a type."""
    pattern = getattr(kind, "pattern", None)
    if pattern is not None:
        yield pattern
    cls = getattr(kind, "cls", None)
    if cls in known:
        return
    if cls is not None:
        known.add(cls)
    parts = [field.type for field in getattr(kind, "fields", ())]
    parts += [getattr(kind, name) for name in _ONE if hasattr(kind, name)]
    parts += [part for name in _MANY for part in getattr(kind, name, ())]
    for part in parts:
        yield from patterns(part, known)


FOUND = sorted({text for kind in WRITTEN for text in patterns(inspect.type_info(kind), set())})


@pytest.mark.parametrize("pattern", FOUND)
@given(data=st.data())
def test_a_line_feed_makes_no_second_name(pattern: str, data: st.DataObject) -> None:
    """A `$` alone fits before a final line feed too: one chip or site would have two names."""
    name = data.draw(st.from_regex(pattern).filter(lambda text: not text.endswith("\n")))

    assert re.search(pattern, name)
    assert not re.search(pattern, name + "\n")
