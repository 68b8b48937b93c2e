"""docs/THREATS.md is what the table of attacks says, and the table speaks of what exists."""

import pytest

from chipledger_book.watch.diversions import diversions, parse_diversions
from chipledger_evidence.appraisal.attacks import Result, expectations, parse_expectations
from chipledger_evidence.codec import encode_canonical
from chipledger_server.domain.findings import Kind
from chipledger_testing.suites import CHECKOUT
from chipledger_testing.threats_page import render

OUTCOMES = [
    pytest.param(outcome, id=f"{attack.id} {outcome.setups[0]}")
    for attack in expectations().attacks
    for outcome in attack.outcomes
    if outcome.result is Result.FINDING
]


def test_page_is_generated_from_the_table() -> None:
    """An attack added to the table appears on the page."""
    assert render() == (CHECKOUT / "docs" / "THREATS.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_a_promised_finding_is_one_that_the_collector_knows(outcome: object) -> None:
    """No row names a finding that nothing opens."""
    assert getattr(outcome, "name", None) in set(Kind)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"with":["software","tpm","gpu","switch","bmc"]', b'"with":["software"]'),
        (b'"within_s":3600', b'"within_s":0'),
        (b'"result":"not-found"', b'"name":"x","result":"not-found"'),
        (b'"id":"never-declared"', b'"id":"clock-set-wrong"'),
        (b'"innocent":["time synchronisation is off"]', b'"innocent":[]'),
    ],
    ids=["setups missing", "no time", "a name too many", "two of one name", "no honest reason"],
)
def test_a_table_that_promises_nothing_clear_is_refused(old: bytes, new: bytes) -> None:
    """Every setup once, every finding with its time and its honest reasons."""
    data = encode_canonical(expectations())
    assert old in data
    with pytest.raises(ValueError, match=r"."):
        parse_expectations(data.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"papers":["chips","servers","count"]', b'"papers":["chips"]'),
        (b'"kind":"missing",', b""),
        (b'"result":"cannot-see"', b'"result":"cannot-see","timer":"absence"'),
        (b'"id":"used-by-others"', b'"id":"relayed"'),
    ],
    ids=["papers missing", "no kind", "a timer for nothing", "two of one name"],
)
def test_a_table_of_diversions_that_promises_nothing_clear_is_refused(
    old: bytes, new: bytes
) -> None:
    """All papers once, every finding with its kind, nothing where nothing is seen."""
    data = encode_canonical(diversions())
    assert old in data
    with pytest.raises(ValueError, match=r"."):
        parse_diversions(data.replace(old, new, 1))
