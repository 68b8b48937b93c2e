"""Every attack of the table is tried on the real collector, and ends as the table says.

What is found is found by the finding that is named, within its time, and by no other; what is
not found opens nothing at all. A row that promises more than the code keeps fails here, and so
does one that promises less.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

import chipledger_testing.attacks.chips
import chipledger_testing.attacks.reports
import chipledger_testing.attacks.signed  # noqa: F401 - they register their scenarios
from chipledger_evidence.appraisal.attacks import Attack, Outcome, Result, Setup, expectations
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.attacks.field import Field, Opened
from chipledger_testing.attacks.registry import SCENARIOS
from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.suites import CHECKOUT

NOTHING_TO_TRY = frozenset({Result.PREVENTED, Result.NOT_APPLICABLE})
NOT_IN_THE_LOG = frozenset({"log-rewritten"})
"""Acts on the database itself: the log gives back what they took."""
ELSEWHERE = {
    # What only a TPM can show is tried where there is one.
    ("tpm-enrolled-twice", Setup.TPM): "tests/integration/tpm/test_enrolment.py",
}
ATTACKS = {attack.id: attack for attack in expectations().attacks}
CELLS = [
    (attack.id, setup)
    for attack in ATTACKS.values()
    for setup in Setup
    if attack.outcome(setup).result not in NOTHING_TO_TRY and (attack.id, setup) not in ELSEWHERE
]


@pytest.fixture
def inside(tmp_path: Path) -> Iterator[CollectorInside]:
    """Return a collector in this process, under a clock that stands still."""
    collector = CollectorInside(tmp_path)
    yield collector
    collector.close()


def test_every_attack_that_can_be_tried_has_a_scenario() -> None:
    """And every scenario has its row."""
    assert {attack for attack, _ in CELLS} == set(SCENARIOS)


@pytest.mark.parametrize("cell", ELSEWHERE, ids=str)
def test_what_is_tried_elsewhere_is_tried_there(cell: tuple[str, Setup]) -> None:
    """By a test that asks the table for the very row."""
    attack, setup = cell
    assert ATTACKS[attack].outcome(setup).result is Result.FINDING
    assert f'expected_of("{attack}")' in (CHECKOUT / ELSEWHERE[cell]).read_text(encoding="utf-8")


def test_every_row_of_the_threat_model_is_in_the_table() -> None:
    """All 23."""
    named = {row for attack in ATTACKS.values() for row in attack.mission}
    assert named == set(range(1, 24))


@pytest.mark.parametrize(("attack", "setup"), CELLS, ids=str)
def test_attack(inside: CollectorInside, attack: str, setup: Setup) -> None:
    """It ends as the table says."""
    field = Field(inside, setup)
    SCENARIOS[attack].act(field)
    expected, opened = ATTACKS[attack].outcome(setup), field.opened()
    if expected.result is Result.FINDING:
        _found(ATTACKS[attack], expected, opened, field)
    else:
        assert opened == []
    if attack not in NOT_IN_THE_LOG:
        derived = inside.derived()
        inside.replay()
        assert inside.derived() == derived
    if expected.result is Result.REFUSED:
        assert set(field.refused) == {expected.name}
    if expected.result is Result.BALANCE:
        assert expected.name == "unaccounted"
        assert field.unaccounted() > 0
    if expected.result is Result.GRADE:
        _graded(field, Grade(expected.name or ""))


def _found(attack: Attack, expected: Outcome, opened: list[Opened], field: Field) -> None:
    kinds = [each.kind for each in opened]
    assert kinds.count(expected.name or "") == 1
    assert set(kinds) <= {expected.name} | SCENARIOS[attack.id].beside
    first = next(each for each in opened if each.kind == expected.name)
    assert first.after_ms <= (expected.within_s or 0) * 1000
    if expected.code is not None:
        assert field.inside.detail(first.kind)["code"] == expected.code


def _graded(field: Field, limit: Grade) -> None:
    grades = [Grade(grade) for grade in field.inside.grades("ams-1")]
    suspects = [grades[place] for place in field.suspects]
    assert suspects
    assert max(suspects) <= limit
    assert all(
        grade is Grade.G3 for place, grade in enumerate(grades) if place not in field.suspects
    )
