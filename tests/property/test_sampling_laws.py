"""Laws of sample sizes and of the draw."""

from contextlib import suppress
from fractions import Fraction
from itertools import product

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from chipledger_book.counts.count_sheet import CountSheet, SheetRow, read_sheet, sheet_of, write_csv
from chipledger_book.counts.counting import CountResult, Outcome, count
from chipledger_book.counts.detection import (
    Sampled,
    allowed_miss,
    detection_ppm,
    exact_size,
    miss,
    misses_at_most,
    short_size,
    worst_mix,
)
from chipledger_book.counts.population import in_order
from chipledger_book.counts.sampling import Hole, Scope, draw
from chipledger_book.errors import BookError, Problem
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.sampling import GB200, H100, SEED, plan_for, population, unit

CONFIDENCE = st.integers(min_value=1, max_value=999_999)
POPULATION = st.integers(min_value=1, max_value=5_000)
small_parts = st.lists(
    st.integers(min_value=1, max_value=7).flatmap(
        lambda chips: st.builds(
            Sampled, chips=st.just(chips), sample=st.integers(min_value=0, max_value=chips)
        )
    ),
    min_size=1,
    max_size=3,
)


@st.composite
def holes(draw: st.DrawFn) -> tuple[int, int]:
    """Draw a population and a hole in it."""
    chips = draw(POPULATION)
    return chips, draw(st.integers(min_value=1, max_value=chips))


@given(holes(), CONFIDENCE)
def test_the_exact_size_is_the_smallest_that_suffices(
    population: tuple[int, int], ppm: int
) -> None:
    """It lies in the population, reaches the confidence, and one less does not."""
    chips, hole = population
    allowed = allowed_miss(ppm)
    size = exact_size(chips, hole, allowed=allowed)

    assert 1 <= size <= chips
    assert miss(chips, hole, size) <= allowed
    assert size == 1 or miss(chips, hole, size - 1) > allowed
    assert detection_ppm([Sampled(chips=chips, sample=size)], hole) >= ppm


@given(holes(), CONFIDENCE)
def test_the_short_form_never_asks_for_less(population: tuple[int, int], ppm: int) -> None:
    """It is the smallest that its formula allows, and at least the exact size."""
    chips, hole = population
    allowed = allowed_miss(ppm)
    short = short_size(chips, hole, allowed=allowed)

    assert exact_size(chips, hole, allowed=allowed) <= short <= chips
    assert Fraction(chips - short, chips) ** hole <= allowed
    assert Fraction(chips - short + 1, chips) ** hole > allowed


@given(holes(), CONFIDENCE, CONFIDENCE, st.integers(min_value=1, max_value=5_000))
def test_more_confidence_and_a_smaller_hole_need_no_smaller_sample(
    population: tuple[int, int], first: int, second: int, other: int
) -> None:
    """Both sizes are monotone in confidence and in the hole."""
    chips, hole = population
    low, high = sorted((first, second))
    smaller = min(hole, other)
    for size in (exact_size, short_size):
        base = size(chips, hole, allowed=allowed_miss(low))
        assert size(chips, hole, allowed=allowed_miss(high)) >= base
        assert size(chips, smaller, allowed=allowed_miss(low)) >= base


@given(small_parts, st.data())
def test_no_way_to_spread_a_hole_is_missed_more_often(
    parts: list[Sampled], data: st.DataObject
) -> None:
    """The worst mix, against every mix there is."""
    chips = sum(part.chips for part in parts)
    hole = data.draw(st.integers(min_value=1, max_value=chips))

    def missed(mix: tuple[int, ...]) -> Fraction:
        found = Fraction(1)
        for part, gone in zip(parts, mix, strict=True):
            found *= miss(part.chips, gone, part.sample)
        return found

    mixes = [
        mix
        for mix in product(*(range(part.chips + 1) for part in parts))
        if sum(mix) == hole
    ]  # fmt: skip
    worst = worst_mix(parts, hole)
    assert worst in mixes
    assert missed(worst) == max(map(missed, mixes))
    assert misses_at_most(parts, hole, allowed=missed(worst))
    assert detection_ppm(parts, hole) == (1 - missed(worst)) * 1_000_000 // 1


units = st.lists(
    st.tuples(st.sampled_from((H100, GB200)), st.sampled_from((Grade.G0, Grade.G1, Grade.G3))),
    min_size=1,
    max_size=60,
)
SEEDS = st.binary(min_size=32, max_size=32)


@given(units, CONFIDENCE, SEEDS, st.data())
def test_a_draw_is_what_its_plan_says_and_nothing_twice(
    models: list[tuple[str, Grade]], ppm: int, seed: bytes, data: st.DataObject
) -> None:
    """Sizes within strata, no repetition, the same seed the same draw, the confidence reached."""
    chips = population(
        [unit(number, sku=sku, grade=grade) for number, (sku, grade) in enumerate(models)]
    )
    hole = Hole(by="chips", amount=data.draw(st.integers(min_value=1, max_value=len(models))))
    scope: Scope = data.draw(st.sampled_from(("population", "each-stratum")))
    plan = plan_for(chips, hole, confidence_ppm=ppm, scope=scope, seed=seed)
    sample = draw(plan, chips, seed)

    names = [one.unit.id for one in sample.units]
    assert len(set(names)) == len(names) == plan.sample <= len(models)
    assert {one.unit for one in sample.units} <= set(chips.units)
    assert plan.achieved_ppm >= ppm
    assert sample == draw(plan, in_order(chips), seed)


@given(st.integers(min_value=2, max_value=80), CONFIDENCE, CONFIDENCE, SEEDS)
def test_a_larger_sample_holds_the_smaller_one(
    number: int, first: int, second: int, seed: bytes
) -> None:
    """An auditor who wants more confidence goes on counting, and counts nothing anew."""
    chips = population(number)
    less, more = (
        draw(
            plan_for(chips, Hole(by="chips", amount=1), confidence_ppm=ppm, seed=seed), chips, seed
        )
        for ppm in sorted((first, second))
    )
    assert more.units[: len(less.units)] == less.units


CHIPS = population(16)
PLAN = plan_for(CHIPS, Hole(by="chips", amount=3))
SAMPLE = draw(PLAN, CHIPS, SEED)
TEXTS = st.sampled_from(("", "seen", "missing", "refused", "no", "R1/U0", "R9", "unheard-of"))
NAMES = st.sampled_from(("", "SRV-0", "stranger", *(one.board or "" for one in CHIPS.units)))
rows = st.builds(
    SheetRow,
    number=st.none() | st.integers(min_value=1, max_value=len(SAMPLE.units) + 1),
    outcome=TEXTS,
    scanned=NAMES,
    seen_at=TEXTS,
)


@given(st.lists(rows, max_size=20))
def test_a_count_says_one_thing_of_every_drawn_chip_or_is_refused_by_row(
    filled: list[SheetRow],
) -> None:
    """Nothing drawn is left out, nothing scanned disappears, and nothing counts unanswered."""
    sheet = msgspec.structs.replace(sheet_of(SAMPLE), rows=tuple(filled))
    written = tuple(row for row in filled if row != SheetRow())
    assert read_sheet(write_csv(sheet).encode()).rows == written
    result, problems = counted(sheet)
    if result is None:
        assert problems
        assert all(problem.where.startswith("rows[") for problem in problems)
        return
    assert [one.unit for one in result.units] == [one.unit.id for one in SAMPLE.units]
    assert sum(getattr(result, outcome) for outcome in Outcome) == result.drawn
    assert (result.counted, result.achieved_ppm) == (0, 0)
    told = {row for one in result.units for row in one.rows}
    told |= {row for scan in (*result.unknown, *result.not_drawn) for row in scan.rows}
    assert {place for place, row in enumerate(filled, start=1) if row.scanned} <= told


def counted(sheet: CountSheet) -> tuple[CountResult | None, tuple[Problem, ...]]:
    """Return what a sheet says, or why it is refused."""
    try:
        return count(sheet, SAMPLE, plan=PLAN, population=CHIPS), ()
    except BookError as error:
        return None, error.problems


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f"#,{text}".encode()))
def test_any_bytes_are_a_sheet_or_refused(data: bytes) -> None:
    """No other error leaves the reader."""
    with suppress(BookError):
        read_sheet(data)
