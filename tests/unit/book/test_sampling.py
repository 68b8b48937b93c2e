"""A plan says what it finds, and the seed decides what is drawn."""

import hashlib
from collections import Counter
from itertools import combinations

import msgspec
import pytest

from chipledger_book.counts.population import digest_of, in_order, read_population
from chipledger_book.counts.sampling import Hole, commitment_of, draw, strata_of
from chipledger_book.errors import BookError
from chipledger_book.tables import version_of
from chipledger_evidence.appraisal.grades import Grade
from chipledger_evidence.codec import b64url_decode, encode_canonical
from chipledger_testing.sampling import (
    CATALOGUE,
    GB200,
    H100,
    SEED,
    mixed,
    plan_for,
    population,
    seed_of,
    unit,
)


@pytest.mark.parametrize(
    ("chips", "share", "sample"),
    [(1_000, 10_000, 258), (1_699, 10_000, 274), (1_699, 50_000, 58), (1_699, 5_000, 530)],
)
def test_a_plan_over_one_stratum_has_the_size_of_the_table(
    chips: int, share: int, sample: int
) -> None:
    """A share is rounded to the nearest chip: 17, 85 and 8 of 1,699."""
    plan = plan_for(population(chips), Hole(by="share", amount=share))
    assert plan.whole is not None
    assert (plan.sample, plan.whole.exact) == (sample, sample)
    assert plan.whole.short - plan.whole.exact in {0, 1, 2}
    assert plan.achieved_ppm >= 950_000


def test_every_stratum_is_drawn_from_and_named() -> None:
    """Models and grades apart, each with both formulas and what its sample finds in it alone."""
    plan = plan_for(mixed(), Hole(by="chips", amount=6))
    assert [(one.sku, one.grade, one.chips) for one in plan.strata] == [
        (GB200, Grade.G3, 16),
        (H100, Grade.G0, 8),
        (H100, Grade.G1, 16),
    ]
    assert all(one.sample >= 1 and one.exact <= one.short for one in plan.strata)
    assert plan.sample == sum(one.sample for one in plan.strata)
    assert plan.achieved_ppm >= 950_000


def test_a_hole_in_each_stratum_is_planned_for_each() -> None:
    """Every stratum then has its own exact size, and the plan promises the least of them."""
    plan = plan_for(mixed(), Hole(by="chips", amount=2), scope="each-stratum")
    assert plan.whole is None
    assert all(one.sample == one.exact and one.hole_chips == 2 for one in plan.strata)
    assert plan.achieved_ppm == min(one.achieved_ppm for one in plan.strata)


def test_a_significant_quantity_is_the_fewest_chips_that_make_it_up() -> None:
    """31,664 TPP are two H100; of GB200 and H100 together, the stronger ones are taken first."""
    alone = plan_for(population(40), Hole(by="tpp", amount=31_664))
    more = plan_for(population(40), Hole(by="tpp", amount=31_665))
    both = plan_for(mixed(), Hole(by="tpp", amount=31_664))
    assert alone.whole is not None
    assert more.whole is not None
    assert both.whole is not None
    assert (alone.whole.hole_chips, more.whole.hole_chips) == (2, 3)
    assert both.whole.hole_chips == 1


def test_a_plan_for_a_significant_quantity_says_what_a_chip_counts() -> None:
    """It names the catalogue, and is drawn from without it; another TPP is another plan."""
    chips = mixed()
    plan = plan_for(chips, Hole(by="tpp", amount=200_000))
    assert plan.catalogue == version_of(CATALOGUE)
    assert plan.tpp[H100] == 15_832
    assert len(draw(plan, chips, SEED).units) == plan.sample
    with pytest.raises(BookError) as caught:
        draw(msgspec.structs.replace(plan, tpp={H100: 100_000, GB200: 100_000}), chips, SEED)
    assert caught.value.code == "plan-does-not-hold"


def test_a_significant_quantity_of_unknown_chips_is_refused() -> None:
    """Their TPP is not known, and is never taken for zero."""
    with pytest.raises(BookError) as caught:
        plan_for(population([unit(1), unit(2, sku=None)]), Hole(by="tpp", amount=1))
    assert caught.value.code == "unknown-sku"


def test_a_hole_larger_than_the_population_is_refused() -> None:
    """In chips, and as a quantity that the whole population does not have."""
    for hole in (Hole(by="chips", amount=41), Hole(by="tpp", amount=10**9)):
        with pytest.raises(BookError) as caught:
            plan_for(mixed(), hole)
        assert caught.value.code == "hole-out-of-bounds"


def test_the_draw_is_checked_by_hand() -> None:
    """The chips whose SHA-256 over tag, seed, population and id comes first."""
    chips = population(20)
    plan = plan_for(chips, Hole(by="chips", amount=3))
    head = b"chipledger/draw/1\0" + SEED + b64url_decode(digest_of(chips))
    ranked = sorted(
        (one.id for one in chips.units),
        key=lambda name: hashlib.sha256(head + name.encode()).hexdigest(),
    )
    sample = draw(plan, chips, SEED)
    assert [one.unit.id for one in sample.units] == ranked[: plan.sample]
    assert plan.commitment == hashlib.sha256(SEED).hexdigest()
    assert [one.number for one in sample.units] == list(range(1, plan.sample + 1))


def test_each_stratum_gives_what_the_plan_says() -> None:
    """No chip stands in for one of another model or grade."""
    chips = mixed()
    plan = plan_for(chips, Hole(by="chips", amount=6))
    drawn = Counter((one.unit.sku, one.unit.grade) for one in draw(plan, chips, SEED).units)
    assert drawn == {(one.sku, one.grade): one.sample for one in plan.strata}
    assert drawn.keys() == strata_of(chips, plan.split).keys()


def test_every_pair_is_drawn_about_as_often() -> None:
    """Over 4,200 fixed seeds, each of the 21 pairs of seven chips; chi-square far below chance.

    20 degrees of freedom: a fair draw stays under 45.3 in 999 of 1,000 cases, and the seeds are
    fixed, so this holds always or never.
    """
    chips = population(7)
    seen: Counter[frozenset[str]] = Counter()
    for number in range(4_200):
        plan = plan_for(chips, Hole(by="chips", amount=6), seed=seed_of(number))
        assert plan.sample == 2
        seen[frozenset(one.unit.id for one in draw(plan, chips, seed_of(number)).units)] += 1
    pairs = [frozenset(pair) for pair in combinations([one.id for one in chips.units], 2)]
    assert sum(seen[pair] for pair in pairs) == 4_200
    assert sum((seen[pair] - 200) ** 2 for pair in pairs) < 45 * 200


def test_another_seed_than_the_committed_one_draws_nothing() -> None:
    """Nobody tries seeds until the draw suits."""
    chips = population(20)
    with pytest.raises(BookError) as caught:
        draw(plan_for(chips, Hole(by="chips", amount=3)), chips, seed_of(1))
    assert caught.value.code == "commitment-mismatch"


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_seed_of_another_length_is_none(length: int) -> None:
    """32 bytes, so that it cannot be guessed from its commitment."""
    with pytest.raises(BookError) as caught:
        commitment_of(bytes(length))
    assert caught.value.code == "malformed-seed"


def test_a_population_changed_after_the_freeze_is_refused() -> None:
    """Even by the place of one chip."""
    chips = population(20)
    moved = msgspec.structs.replace(chips.units[3], place="R9/U9")
    after = population([*chips.units[:3], moved, *chips.units[4:]])
    with pytest.raises(BookError) as caught:
        draw(plan_for(chips, Hole(by="chips", amount=3)), after, SEED)
    assert caught.value.code == "population-changed"


@pytest.mark.parametrize(
    "change",
    [
        {"achieved_ppm": 999_000},
        {"sample": 1},
        {"split": ("sku",)},
        {"whole": None},
        {"scope": "each-stratum"},
        {"confidence_ppm": 999_999},
        {"hole": Hole(by="chips", amount=5)},
        {"hole": Hole(by="chips", amount=41)},
        {"hole": Hole(by="tpp", amount=5)},
        {"strata": ()},
    ],
)
def test_a_plan_that_claims_more_than_its_numbers_give_is_refused(
    change: dict[str, object],
) -> None:
    """Its probability is computed anew before anything is drawn."""
    chips = mixed()
    plan = msgspec.structs.replace(plan_for(chips, Hole(by="chips", amount=6)), **change)
    with pytest.raises(BookError) as caught:
        draw(plan, chips, SEED)
    assert caught.value.code == "plan-does-not-hold"


def test_the_layout_of_a_population_does_not_matter_but_a_repeated_chip_does() -> None:
    """Every chip that stands twice is named at once."""
    chips = population(4)
    turned = msgspec.structs.replace(chips, units=chips.units[::-1])
    assert read_population(encode_canonical(turned)) == chips
    with pytest.raises(BookError) as caught:
        in_order(msgspec.structs.replace(chips, units=(*chips.units, *chips.units[:2])))
    assert [problem.code for problem in caught.value.problems] == ["population-unit-repeated"] * 2


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format":"chipledger-population-1"}', "[" * 9999]
)
def test_something_else_than_a_population_is_refused(text: str) -> None:
    """With a code, whatever it is."""
    with pytest.raises(BookError) as caught:
        read_population(text.encode())
    assert caught.value.code == "malformed-sampling-file"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", " x", "a\nb", "a\u202eb", ""])
def test_a_name_that_a_spreadsheet_or_screen_could_obey_is_refused(name: str) -> None:
    """The names of chips stand on count sheets."""
    text = encode_canonical(population(1)).replace(b'"chip-0000"', msgspec.json.encode(name))
    with pytest.raises(BookError) as caught:
        read_population(text)
    assert caught.value.code == "malformed-sampling-file"
