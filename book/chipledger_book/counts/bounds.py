"""The largest hole that a count still leaves room for. Integers only.

Where x of n drawn chips fail, a hole of D chips explains it as long as at most x of them are
drawn with more than the allowed probability: the exact upper limit of the hypergeometric
distribution, after Clopper and Pearson. It says how many may be gone, not that any is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

from chipledger_book.counts.detection import Sampled, misses_at_most, smallest


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A stratum of `chips`, of which `sample` were drawn and `failed` of these do not count."""

    chips: int
    sample: int
    failed: int


def largest_hole(parts: Sequence[Checked], *, allowed: Fraction) -> int:
    """Return the largest hole that a count of these strata does not rule out.

    Larger ones would have been met, or met more often, with more than 1 - `allowed`, however they
    were spread. Where nothing failed the limit is exact. With failures in several strata each has
    its own limit at an equal part of `allowed`, and they are added up, which is never too small.
    """
    chips = sum(part.chips for part in parts)
    if not any(part.failed for part in parts):
        return _where_none_failed(parts, chips, allowed)
    open_ones = sum(part.sample < part.chips for part in parts)
    each = allowed / max(1, open_ones)
    return sum(_limit(part, each) for part in parts)


def _where_none_failed(parts: Sequence[Checked], chips: int, allowed: Fraction) -> int:
    if not any(part.sample for part in parts):
        return chips
    drawn = [Sampled(chips=part.chips, sample=part.sample) for part in parts]
    return smallest(lambda hole: misses_at_most(drawn, hole, allowed=allowed), most=chips + 1) - 1


def _limit(part: Checked, allowed: Fraction) -> int:
    """Return the largest hole in one stratum that its failures do not rule out."""
    first_out = smallest(
        lambda hole: _as_few(part, hole) <= allowed, most=part.chips + 1, least=part.failed + 1
    )
    return first_out - 1


def _as_few(part: Checked, hole: int) -> Fraction:
    """Return the probability that a sample holds at most `failed` of a hole."""
    few, many = sorted((part.sample, hole))  # which of the two is drawn makes no difference
    ways = sum(
        comb(many, taken) * comb(part.chips - many, few - taken)
        for taken in range(min(part.failed, few) + 1)
    )
    return Fraction(ways, comb(part.chips, few))
