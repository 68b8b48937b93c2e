"""The largest hole that a count leaves room for, and what is said of it."""

from fractions import Fraction
from math import comb

import pytest

from chipledger_book.counts.bounds import Checked, largest_hole
from chipledger_book.counts.count_sheet import sheet_of
from chipledger_book.counts.counting import Answer, Answers, count
from chipledger_book.counts.detection import allowed_miss, exact_size
from chipledger_book.counts.population import digest_of
from chipledger_book.counts.sampling import Hole, draw
from chipledger_book.counts.words import bound_of, count_words, percent, plan_words
from chipledger_testing.sampling import SEED, mixed, plan_for, population

FIVE = allowed_miss(950_000)


def as_few(chips: int, hole: int, sample: int, failed: int) -> Fraction:
    """Return the probability that a sample holds at most that many of a hole, by definition."""
    ways = sum(comb(hole, got) * comb(chips - hole, sample - got) for got in range(failed + 1))
    return Fraction(ways, comb(chips, sample))


@pytest.mark.parametrize(
    ("chips", "sample", "failed"), [(20, 5, 0), (20, 5, 2), (40, 39, 1), (40, 40, 3), (7, 1, 1)]
)
def test_the_bound_is_the_last_hole_that_is_not_ruled_out(
    chips: int, sample: int, failed: int
) -> None:
    """It explains what was found with more than the allowed probability; one more does not."""
    bound = largest_hole([Checked(chips=chips, sample=sample, failed=failed)], allowed=FIVE)

    assert failed <= bound <= chips
    assert as_few(chips, bound, sample, failed) > FIVE
    assert bound == chips or as_few(chips, bound + 1, sample, failed) <= FIVE


@pytest.mark.parametrize(("chips", "hole"), [(1000, 10), (1699, 85), (10_000, 50)])
def test_a_clean_sample_rules_out_the_hole_that_it_was_planned_for(chips: int, hole: int) -> None:
    """The bound is just below the hole of the plan."""
    sample = exact_size(chips, hole, allowed=FIVE)

    assert largest_hole([Checked(chips=chips, sample=sample, failed=0)], allowed=FIVE) < hole


def test_nothing_drawn_rules_out_nothing() -> None:
    """All may be gone."""
    assert largest_hole([Checked(chips=9, sample=0, failed=0)], allowed=FIVE) == 9


def test_everything_drawn_leaves_what_failed() -> None:
    """A full count needs no statistics."""
    parts = [Checked(chips=9, sample=9, failed=2), Checked(chips=4, sample=4, failed=1)]

    assert largest_hole(parts, allowed=FIVE) == 3


def test_a_plan_is_said_in_one_sentence_for_a_report() -> None:
    """N of N, hole of d, found with probability p, with both formulas beside it."""
    plan = plan_for(population(1699), Hole(by="share", amount=50_000), split=())

    first, second = plan_words(plan)

    assert first == (
        f"58 of 1,699 chips; a hole of 85 chips is found with probability "
        f"{percent(plan.achieved_ppm)}."
    )
    assert second.startswith("As one stratum the exact formula asks for 58, the short form for")


def test_defects_are_named_and_bounded() -> None:
    """Labels without evidence, missing and refused chips each have their words."""
    chips = mixed()
    plan = plan_for(chips, Hole(by="chips", amount=2))
    sample = draw(plan, chips, SEED)
    sheet = sheet_of(sample)
    rows = [row.__class__(number=row.number, scanned=row.pdi, outcome="seen") for row in sheet.rows]
    rows[0] = rows[0].__class__(number=1, outcome="missing")
    rows[1] = rows[1].__class__(number=2, outcome="refused")
    filled = sheet.__class__(
        **{name: getattr(sheet, name) for name in sheet.__struct_fields__ if name != "rows"},
        rows=tuple(rows),
    )
    answers = Answers(
        format="chipledger-answers-1",
        sample=digest_of(sample),
        answers=tuple(
            Answer(unit=one.unit.id, state="not-answered")
            if one.number == 3
            else Answer(unit=one.unit.id, state="answered", evidence=digest_of(sample))
            for one in sample.units
        ),
    )
    result = count(filled, sample, plan=plan, population=chips, answers=answers)

    said = " ".join(count_words(result, plan, sample))

    assert "3 of the drawn chips do not count" in said
    assert "1 not there, 1 refused to be seen, 1 seen without evidence" in said
    assert bound_of(result, plan, sample) >= 3
    assert f"at most {bound_of(result, plan, sample)} of 40 chips" in said
