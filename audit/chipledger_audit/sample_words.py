"""Plans, samples and counts as lines for people."""

from collections.abc import Iterator

from chipledger_book.counts.counting import CountResult
from chipledger_book.counts.population import digest_of
from chipledger_book.counts.sampling import Plan, PlannedStratum, Sample
from chipledger_book.counts.words import percent, plan_words


def describe_plan(plan: Plan) -> Iterator[str]:
    """Yield a plan: what is drawn of each stratum by both formulas, and what that finds."""
    yield f"plan        {digest_of(plan)}"
    yield f"population  {plan.population}, site {plan.site}"
    yield f"commitment  {plan.commitment} (SHA-256 of the seed)"
    yield f"confidence  {percent(plan.confidence_ppm)}"
    yield "      chips       hole     sample      exact      short  found with   stratum"
    for stratum in plan.strata:
        yield _line(stratum, _name(plan, stratum))
    if plan.whole is not None:
        yield _line(plan.whole, "all, however the hole is spread")
    yield f"achieved    {percent(plan.achieved_ppm)} with {plan.sample} drawn"
    yield from plan_words(plan)
    yield "log the plan's digest and the commitment before the draw"


def _line(stratum: PlannedStratum, name: str) -> str:
    numbers = (stratum.chips, stratum.hole_chips, stratum.sample, stratum.exact, stratum.short)
    columns = "".join(f"{number:>11,}" for number in numbers)
    return f"{columns}  {percent(stratum.achieved_ppm):>11}  {name}"


def _name(plan: Plan, stratum: PlannedStratum) -> str:
    sku = (stratum.sku or "unknown model") if "sku" in plan.split else ""
    return " ".join(part for part in (sku, stratum.grade or "") if part) or "every chip"


def describe_sample(sample: Sample) -> Iterator[str]:
    """Yield a sample: its digests, and each chip by the names that people can look for."""
    yield f"sample      {digest_of(sample)}"
    yield f"plan        {sample.plan}"
    yield f"population  {sample.population}, site {sample.site}"
    yield f"seed        {sample.seed}"
    for drawn in sample.units:
        unit = drawn.unit
        where = ", ".join(
            f"{word}{name}"
            for word, name in (("", unit.place), ("server ", unit.server), ("host ", unit.host))
            if name
        )
        chip = unit.pdi or unit.uuid or "no name of its own"
        board = unit.board or "?"
        place = where or "no known place"
        yield f"{drawn.number:>6}  {unit.id}  chip {chip}  board {board}  at {place}"


def describe_count(result: CountResult) -> Iterator[str]:
    """Yield what a count found, the drawn chips that do not count one by one."""
    yield f"count       {result.verdict}: {result.counted} of {result.drawn} drawn chips count"
    yield (
        f"seen        {result.found} found, {result.elsewhere} elsewhere, "
        f"{result.duplicate} at two places, {result.missing} missing, {result.refused} refused"
    )
    yield (
        f"achieved    {percent(result.achieved_ppm)} by the chips that count, "
        f"{percent(result.planned_ppm)} if all did"
    )
    for one in result.units:
        if not one.counts:
            seen = f" at {', '.join(map(repr, one.seen_at))}" if one.seen_at else ""
            yield f"{one.number:>6}  {one.unit}  {one.outcome}{seen}, challenge {one.challenge}"
    for word, scans in (
        ("unknown", result.unknown),
        ("scanned again", result.duplicates),
        ("not drawn", result.not_drawn),
    ):
        for scan in scans:
            rows = ", ".join(map(str, scan.rows))
            yield f"{word}: {scan.scanned!r} at {', '.join(map(repr, scan.seen_at))}, rows {rows}"
