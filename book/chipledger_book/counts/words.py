"""Plans and counts in sentences that stand in an auditor's report as they are."""

from collections.abc import Iterator

from chipledger_book.counts.bounds import Checked, largest_hole
from chipledger_book.counts.counting import Counted, CountResult, Verdict
from chipledger_book.counts.detection import allowed_miss
from chipledger_book.counts.sampling import Plan, Sample


def percent(ppm: int) -> str:
    """Return millionths as per cent, all four digits: rounding would say more than is known."""
    return f"{ppm // 10_000}.{ppm % 10_000:04d} %"


def plan_words(plan: Plan) -> Iterator[str]:
    """Yield what a plan draws, and what that finds with which probability."""
    chips = sum(stratum.chips for stratum in plan.strata)
    many = len(plan.strata)
    if plan.whole is None:
        least = min(plan.strata, key=lambda stratum: stratum.achieved_ppm)
        yield (
            f"{plan.sample:,} of {chips:,} chips, in {_strata(many)}; in each of them its hole is "
            f"found with probability {percent(least.achieved_ppm)} or more."
        )
        return
    hole = plan.whole.hole_chips
    spread = ", however it is spread over the strata" if many > 1 else ""
    yield (
        f"{plan.sample:,} of {chips:,} chips; a hole of {_chips(hole)} is found with probability "
        f"{percent(plan.achieved_ppm)}{spread}."
    )
    yield (
        f"As one stratum the exact formula asks for {plan.whole.exact:,}, the short form for "
        f"{plan.whole.short:,}"
        + (f"; {_strata(many)} are rounded up one by one." if many > 1 else ".")
    )


def count_words(result: CountResult, plan: Plan, sample: Sample) -> Iterator[str]:
    """Yield what a count found, what that is worth, and how large a hole may still be.

    While answers are awaited no bound is given: nothing is decided yet.
    """
    chips = sum(stratum.chips for stratum in plan.strata)
    yield (
        f"{result.counted:,} of {result.drawn:,} drawn chips were seen and have answered since the "
        f"draw; {chips:,} are in the population."
    )
    failed = result.drawn - result.counted
    if result.verdict is Verdict.INCOMPLETE:
        yield f"The answers of {_chips(failed)} are awaited: nothing is decided."
        return
    if failed:
        yield f"{failed:,} of the drawn chips do not count: {', '.join(_defects(result.units))}."
    if plan.whole is not None:
        yield (
            f"A hole of {_chips(plan.whole.hole_chips)} would have been met with probability "
            f"{percent(plan.achieved_ppm)}; {'it may be there' if failed else 'none was met'}."
        )
    else:
        yield (
            f"The planned hole in any stratum would have been met with probability "
            f"{percent(plan.achieved_ppm)} or more; "
            f"{'one may be there' if failed else 'none was met'}."
        )
    bound = bound_of(result, plan, sample)
    yield (
        f"At {percent(plan.confidence_ppm)} confidence at most {bound:,} of {chips:,} chips are "
        "missing or do not answer."
    )


def bound_of(result: CountResult, plan: Plan, sample: Sample) -> int:
    """Return the largest hole, in chips, that a count leaves room for at the plan's confidence.

    Every drawn chip that does not count is taken as failed.
    """
    place = {(stratum.sku, stratum.grade): at for at, stratum in enumerate(plan.strata)}
    failed = [0] * len(plan.strata)
    for drawn, one in zip(sample.units, result.units, strict=True):
        if not one.counts:
            sku = drawn.unit.sku if "sku" in plan.split else None
            failed[place[sku, drawn.unit.grade if "grade" in plan.split else None]] += 1
    parts = [
        Checked(chips=stratum.chips, sample=stratum.sample, failed=number)
        for stratum, number in zip(plan.strata, failed, strict=True)
    ]
    return largest_hole(parts, allowed=allowed_miss(plan.confidence_ppm))


def _defects(units: tuple[Counted, ...]) -> Iterator[str]:
    """Yield how many drawn chips fail in which way, each chip once."""
    told: dict[str, int] = {}
    for one in units:
        if not one.counts:
            words = _SEEN.get(str(one.outcome)) or _CHALLENGE[str(one.challenge)]
            told[words] = told.get(words, 0) + 1
    for words, number in sorted(told.items()):
        yield f"{number:,} {words}"


_SEEN = {"missing": "not there", "refused": "refused to be seen", "duplicate": "at two places"}
_CHALLENGE = {"not-answered": "seen without evidence", "awaiting": "seen and not heard"}


def _chips(number: int) -> str:
    return f"{number:,} chip" if number == 1 else f"{number:,} chips"


def _strata(number: int) -> str:
    return "1 stratum" if number == 1 else f"{number} strata"
