"""How likely a drawn sample misses a hole, and how large a sample has to be. Integers only.

A hole is a number of chips that are not there. A sample drawn without replacement misses it when
it holds none of them: of N chips with d gone, n drawn ones all lie among the N - d with
probability C(N-d, n) / C(N, n), the hypergeometric distribution at zero. The short form that
safeguards inspectors use takes ((N-n) / N) ** d instead, which is never smaller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Final

from chipledger_book.errors import Code, refuse

PPM: Final = 1_000_000
MAX_CHIPS: Final = 1_000_000
"""Largest population that is sampled."""

_BITS: Final = 256
"""Precision of the powers of the short form; what it leaves open is decided exactly."""
_LEVELS: Final = 1 << 20
"""Steps between two sampling densities: more than any stratum has chips."""
_AT_ONCE: Final = 64
"""Factors that are multiplied before the product is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """A stratum of `chips`, of which `sample` are drawn."""

    chips: int
    sample: int


def allowed_miss(confidence_ppm: int) -> Fraction:
    """Return the largest probability of missing that a confidence allows.

    Raises:
        BookError: `confidence-out-of-bounds` unless it lies between nothing and certainty.
    """
    if not 0 < confidence_ppm < PPM:
        raise refuse(
            Code.CONFIDENCE_OUT_OF_BOUNDS,
            f"a confidence of {confidence_ppm} in a million",
            where="confidence",
            hint="give more than 0 % and less than 100 %; for certainty count every chip",
        )
    return Fraction(PPM - confidence_ppm, PPM)


def miss(chips: int, hole: int, sample: int) -> Fraction:
    """Return the exact probability that `sample` of `chips` hold none of the `hole` missing."""
    return _missed([(chips, hole, sample)], enough=Fraction(0))


def exact_size(chips: int, hole: int, *, allowed: Fraction) -> int:
    """Return the smallest sample that misses a hole with at most the allowed probability.

    Raises:
        BookError: `hole-out-of-bounds`.
    """
    check_hole(chips, hole)
    return smallest(
        lambda sample: _missed([(chips, hole, sample)], enough=allowed) <= allowed,
        most=chips - hole + 1,
    )


def short_size(chips: int, hole: int, *, allowed: Fraction) -> int:
    """Return the sample by the short form, N (1 - allowed ** (1/d)) rounded up.

    Never below :func:`exact_size`, and by at most a few chips above it for small holes.

    Raises:
        BookError: `hole-out-of-bounds`.
    """
    check_hole(chips, hole)
    return smallest(
        lambda sample: _power_at_most(Fraction(chips - sample, chips), hole, allowed), most=chips
    )


def worst_mix(parts: Sequence[Sampled], hole: int) -> tuple[int, ...]:
    """Return how many chips to take from each stratum so that the sample misses best.

    Whoever removes chips knows the plan, but not the draw. Each further chip is taken where
    the most chips are left for each one drawn. Taking it there is best at every step, because a
    further chip of one stratum is found the more likely the more of it are gone.

    Raises:
        BookError: `hole-out-of-bounds`.
    """
    check_hole(sum(part.chips for part in parts), hole)
    taken, rest = [0] * len(parts), hole
    for place, part in enumerate(parts):
        if not part.sample:
            taken[place] = min(rest, part.chips)
            rest -= taken[place]
    drawn = [place for place, part in enumerate(parts) if part.sample]

    def down_to(level: int) -> dict[int, int]:
        """Return what to take so that each stratum has at most that many left for one drawn."""
        return {
            place: max(0, parts[place].chips - level * parts[place].sample // _LEVELS)
            for place in drawn
        }

    level = smallest(
        lambda level: sum(down_to(level).values()) <= rest,
        most=max((part.chips for part in parts), default=0) * _LEVELS,
        least=0,
    )
    for place, number in down_to(level).items():
        taken[place] = number
        rest -= number
    for _ in range(rest):
        place = max(
            (place for place in drawn if taken[place] < parts[place].chips),
            key=lambda place: Fraction(parts[place].chips - taken[place], parts[place].sample),
        )
        taken[place] += 1
    return tuple(taken)


def misses_at_most(parts: Sequence[Sampled], hole: int, *, allowed: Fraction) -> bool:
    """Tell whether a hole is missed with at most this probability, however it is spread."""
    return _missed(_mixed(parts, hole), enough=allowed) <= allowed


def detection_ppm(parts: Sequence[Sampled], hole: int) -> int:
    """Return the probability of finding a hole, however it is spread, in millionths, rounded down.

    1,000,000 is said only of certainty.
    """
    missed = _missed(_mixed(parts, hole), enough=Fraction(1, PPM))
    return PPM - -(-missed.numerator * PPM // missed.denominator)


def check_hole(chips: int, hole: int) -> None:
    """Do nothing if a hole can be in a population.

    Raises:
        BookError: `hole-out-of-bounds`.
    """
    if not 0 < hole <= chips <= MAX_CHIPS:
        raise refuse(
            Code.HOLE_OUT_OF_BOUNDS,
            f"a hole of {hole} chips in {chips}",
            where="hole",
            hint=f"at least one chip, at most the population, of at most {MAX_CHIPS}",
        )


def _mixed(parts: Sequence[Sampled], hole: int) -> list[tuple[int, int, int]]:
    mix = worst_mix(parts, hole)
    return [(part.chips, gone, part.sample) for part, gone in zip(parts, mix, strict=True)]


def _missed(parts: Sequence[tuple[int, int, int]], *, enough: Fraction) -> Fraction:
    """Return the probability that nothing of (chips, hole, sample) each is found.

    Once it is known to be no more than `enough`, an upper bound that is no more than that may be
    returned instead. It is zero only if it is impossible to miss.
    """
    if any(hole + sample > chips for chips, hole, sample in parts):
        return Fraction(0)
    top = bottom = 1
    for chips, hole, sample in parts:
        fewer, more = min(hole, sample), max(hole, sample)
        for first in range(0, fewer, _AT_ONCE):
            steps = range(first, min(first + _AT_ONCE, fewer))
            top *= prod(chips - more - step for step in steps)
            bottom *= prod(chips - step for step in steps)
            if top * enough.denominator <= bottom * enough.numerator:
                return Fraction(top, bottom)
    return Fraction(top, bottom)


def smallest(holds: Callable[[int], bool], *, most: int, least: int = 1) -> int:
    """Return the smallest number from `least` on that holds; `most` and all above one do."""
    step = 1
    while least + step <= most and not holds(least + step - 1):
        least, step = least + step, step * 2
    low, high = least, min(most, least + step - 1)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low


def _power_at_most(base: Fraction, exponent: int, bound: Fraction) -> bool:
    """Tell whether base ** exponent ≤ bound, exactly."""
    low, high = _power_bounds(base, exponent)
    if high * bound.denominator <= bound.numerator << _BITS:
        return True
    if low * bound.denominator > bound.numerator << _BITS:
        return False
    return bool(base**exponent <= bound)


def _power_bounds(base: Fraction, exponent: int) -> tuple[int, int]:
    """Return bounds of a power, rounded down and up at every step, in units of 2 ** -256."""
    low = high = 1 << _BITS
    square_low = (base.numerator << _BITS) // base.denominator
    square_high = -((-base.numerator << _BITS) // base.denominator)
    while exponent:
        if exponent & 1:
            low, high = low * square_low >> _BITS, -(-high * square_high >> _BITS)
        square_low = square_low * square_low >> _BITS
        square_high = -(-square_high * square_high >> _BITS)
        exponent >>= 1
    return low, high
