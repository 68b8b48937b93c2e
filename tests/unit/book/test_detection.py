"""The table of sample sizes that inspectors know, and the edges of the arithmetic."""

from fractions import Fraction

import pytest

from chipledger_book.counts.detection import (
    MAX_CHIPS,
    Sampled,
    allowed_miss,
    detection_ppm,
    exact_size,
    miss,
    short_size,
    worst_mix,
)
from chipledger_book.errors import BookError

CONFIDENCES = (950_000, 900_000, 500_000)


@pytest.mark.parametrize(
    ("chips", "one_percent", "five_percent", "half_percent"),
    [
        (1_000, (10, (258, 205, 67)), (50, (57, 44, 14)), (5, 450)),
        (1_699, (17, (274, 215, 68)), (85, (58, 45, 14)), (8, 530)),
        (10_000, (100, (294, 227, 69)), (500, (59, 45, 14)), (50, 581)),
        (100_000, (1_000, (298, 229, 69)), (5_000, (59, 45, 14)), (500, 596)),
    ],
)
def test_the_table_is_reproduced(
    chips: int,
    one_percent: tuple[int, tuple[int, ...]],
    five_percent: tuple[int, tuple[int, ...]],
    half_percent: tuple[int, int],
) -> None:
    """Exact sizes for 95, 90 and 50 % confidence, and 0.5 % gone at 95 %."""
    for hole, expected in (one_percent, five_percent):
        found = [exact_size(chips, hole, allowed=allowed_miss(ppm)) for ppm in CONFIDENCES]
        assert tuple(found) == expected
    hole, size = half_percent
    assert exact_size(chips, hole, allowed=allowed_miss(950_000)) == size


@pytest.mark.parametrize(
    ("chips", "hole", "exact", "short"),
    [
        (1_000, 10, 258, 259),
        (1_000, 50, 57, 59),
        (1_699, 17, 274, 275),
        (10_000, 100, 294, 296),
        (100_000, 1_000, 298, 300),
        (100_000, 5_000, 59, 60),
    ],
)
def test_the_short_form_asks_for_little_more(chips: int, hole: int, exact: int, short: int) -> None:
    """By one or two chips here, and never for less."""
    allowed = allowed_miss(950_000)
    assert exact_size(chips, hole, allowed=allowed) == exact
    assert short_size(chips, hole, allowed=allowed) == short


def test_the_probability_of_missing_is_a_fraction_not_an_estimate() -> None:
    """Of ten chips with two gone, three drawn ones miss both in 56 of 120 draws."""
    assert miss(10, 2, 3) == Fraction(56, 120)
    assert miss(10, 2, 0) == 1
    assert miss(10, 8, 3) == 0


def test_certainty_is_said_only_where_it_is_impossible_to_miss() -> None:
    """A hole that is missed once in a trillion is found with 999,999 in a million."""
    assert detection_ppm([Sampled(chips=100, sample=90)], 10) == 999_999
    assert detection_ppm([Sampled(chips=100, sample=91)], 10) == 1_000_000
    assert detection_ppm([Sampled(chips=100, sample=0)], 10) == 0


def test_50_a_month_find_50_of_10_000_within_a_year() -> None:
    """Twelve independent samples of 50 find half a percent missing with 95 %."""
    assert 1 - miss(10_000, 50, 50) ** 12 >= Fraction(95, 100)


def test_who_takes_chips_takes_them_where_least_is_drawn() -> None:
    """A stratum that is not drawn from hides a whole hole."""
    parts = [Sampled(chips=100, sample=50), Sampled(chips=100, sample=10)]
    assert worst_mix(parts, 20) == (0, 20)
    assert worst_mix([*parts, Sampled(chips=15, sample=0)], 20) == (0, 5, 15)


@pytest.mark.parametrize(("chips", "hole"), [(10, 0), (10, 11), (0, 0), (MAX_CHIPS + 1, 1)])
def test_a_hole_that_cannot_be_is_refused(chips: int, hole: int) -> None:
    """No chip, more than there are, or in more than is sampled at once."""
    for size in (exact_size, short_size):
        with pytest.raises(BookError) as caught:
            size(chips, hole, allowed=Fraction(1, 20))
        assert caught.value.code == "hole-out-of-bounds"


@pytest.mark.parametrize("ppm", [0, -1, 1_000_000])
def test_a_confidence_that_cannot_be_is_refused(ppm: int) -> None:
    """A sample gives no certainty, and none is needed to know nothing."""
    with pytest.raises(BookError) as caught:
        allowed_miss(ppm)
    assert caught.value.code == "confidence-out-of-bounds"
