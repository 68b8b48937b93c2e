"""Poisson bands in whole numbers: no rounding, so every machine finds the same edge."""

from fractions import Fraction
from math import isqrt
from typing import Final

_SCALE: Final = 1 << 192
PPM: Final = 1_000_000


def upper_edge(mean: Fraction, within_ppm: int) -> int:
    """Return the smallest number that a Poisson count stays at or below with a probability.

    The terms mean^k / k! are summed as whole multiples of 2^-192, rounded down, as far as they
    are any; their sum stands for e^mean, so the comparison is exact but for what rounding takes,
    which lies below 2^-128 of the whole for any mean that a site can have.

    Args:
        mean: the expected count, 0 or more.
        within_ppm: the probability in millionths, below 1,000,000.
    """
    if mean <= 0:
        return 0
    terms = [_SCALE]
    while terms[-1] or len(terms) <= mean:
        terms.append(terms[-1] * mean.numerator // (mean.denominator * len(terms)))
    whole, partial = sum(terms), 0
    for count, term in enumerate(terms):
        partial += term
        if partial * PPM >= whole * within_ppm:
            return count
    return mean.numerator // mean.denominator + 10 * isqrt(len(terms))  # below 1,000,000 never
