"""Plans and draws samples for a physical count: reproducible, and fixed before anybody can choose.

In this order: the seed's SHA-256 is written into the log, the population is frozen, the plan names
both, and only then the seed is shown and decides what is drawn. Whoever holds the three files can
repeat the draw.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Final, Literal

import msgspec

from chipledger_book.catalogue import Catalogue
from chipledger_book.counts.detection import (
    PPM,
    Sampled,
    allowed_miss,
    check_hole,
    detection_ppm,
    exact_size,
    misses_at_most,
    short_size,
    smallest,
)
from chipledger_book.counts.population import Population, Unit, digest_of
from chipledger_book.errors import BookError, Code, refuse
from chipledger_book.tables import TableVersion, version_of
from chipledger_book.terms import MAX_INTEGER, Record, Sha256Hex, SkuName, day_of
from chipledger_evidence.appraisal.grades import Grade
from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.ids import Digest, SiteName

SEED_BYTES: Final = 32
DRAW_TAG: Final = b"chipledger/draw/1"

Split = Literal["sku", "grade"]
Scope = Literal["population", "each-stratum"]
Positive = Annotated[int, msgspec.Meta(ge=1, le=MAX_INTEGER)]
Number = Annotated[int, msgspec.Meta(ge=0, le=MAX_INTEGER)]
Key = tuple[str | None, Grade | None]


class Hole(Record, frozen=True, kw_only=True):
    """What must not go unseen if it is missing.

    Attributes:
        by: `chips`; `share` of the population, in millionths; or `tpp`, a significant quantity.
        amount: how much of that.
    """

    by: Literal["chips", "share", "tpp"]
    amount: Positive


class PlannedStratum(Record, frozen=True, kw_only=True):
    """Chips of one model and grade, and how many of them are drawn.

    Attributes:
        sku: model; absent where the plan does not split by model, or the model is not known.
        grade: grade; absent where the plan does not split by grade.
        hole_chips: the hole, if it lies wholly in this stratum.
        sample: how many are drawn.
        exact: how many would have to be for this stratum alone, exactly.
        short: the same by the short form.
        achieved_ppm: probability of finding that hole here, in millionths, rounded down.
    """

    chips: Positive
    hole_chips: Positive
    sample: Positive
    exact: Positive
    short: Positive
    achieved_ppm: Number
    sku: SkuName | None = None
    grade: Grade | None = None


class Plan(Record, frozen=True, kw_only=True):
    """How large a sample is, of what, and what it will find. Its digest binds all of that.

    Attributes:
        population: digest of the population.
        commitment: SHA-256 of the seed, lower-case hex.
        scope: the hole is one hole, however it is spread over the strata (`population`), or one
            in each of them (`each-stratum`).
        split: what strata are told apart by.
        sample: how many are drawn in all.
        achieved_ppm: probability of finding the hole however it is spread, in millionths, rounded
            down; in `each-stratum` the least of the strata.
        whole: the population as if it were one stratum, with the sample that is drawn of all
            strata together; absent in `each-stratum`.
    """

    format: Literal["chipledger-sample-plan-1"]
    site: SiteName
    population: Digest
    commitment: Sha256Hex
    confidence_ppm: Annotated[int, msgspec.Meta(ge=1, lt=PPM)]
    hole: Hole
    scope: Scope
    split: tuple[Split, ...]
    sample: Positive
    achieved_ppm: Number
    strata: Annotated[tuple[PlannedStratum, ...], msgspec.Meta(min_length=1)]
    whole: PlannedStratum | None = None
    tpp: dict[SkuName, Number] = msgspec.field(default_factory=dict)
    catalogue: TableVersion | None = None


class Drawn(Record, frozen=True, kw_only=True):
    """One chip of the sample: its number on the sheet, and its names."""

    number: Positive
    unit: Unit


class Sample(Record, frozen=True, kw_only=True):
    """What was drawn, with what it was drawn from and by."""

    format: Literal["chipledger-sample-1"]
    site: SiteName
    population: Digest
    plan: Digest
    seed: Sha256Hex
    units: Annotated[tuple[Drawn, ...], msgspec.Meta(min_length=1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What an auditor asks of a plan; see :class:`Plan`."""

    hole: Hole
    confidence_ppm: int
    commitment: str
    split: Sequence[Split] = ("sku", "grade")
    scope: Scope = "population"


def commitment_of(seed: bytes) -> str:
    """Return what is written into the log before the draw: SHA-256 of the seed, in hex.

    Raises:
        BookError: `malformed-seed`.
    """
    if len(seed) != SEED_BYTES:
        raise refuse(
            Code.MALFORMED_SEED,
            f"a seed of {len(seed)} bytes",
            where="seed",
            hint=f"a seed is {SEED_BYTES} random bytes",
        )
    return hashlib.sha256(seed).hexdigest()


def strata_of(population: Population, split: Iterable[Split]) -> dict[Key, list[Unit]]:
    """Return the chips of each stratum, in the order of their models and grades."""
    told = frozenset(split)
    found: dict[Key, list[Unit]] = defaultdict(list)
    for unit in population.units:
        sku = unit.sku if "sku" in told else None
        found[sku, unit.grade if "grade" in told else None].append(unit)
    return dict(sorted(found.items(), key=lambda one: (one[0][0] or "", one[0][1] or "")))


def plan_sample(population: Population, order: Order, catalogue: Catalogue) -> Plan:
    """Return the plan for a sample; equal inputs give equal plans.

    Raises:
        BookError: `hole-out-of-bounds`, `confidence-out-of-bounds`, or `unknown-sku` where a hole
            in TPP is asked of chips whose TPP is not known.
    """
    if order.hole.by != "tpp":
        return _plan(population, order, {}, None)
    return _plan(population, order, _tpp(population, catalogue), version_of(catalogue))


def _plan(
    population: Population, order: Order, tpp: Mapping[str, int], table: TableVersion | None
) -> Plan:
    """Return the plan, given what a chip of each model is worth."""
    allowed = allowed_miss(order.confidence_ppm)
    units = strata_of(population, order.split)
    sizes = {key: len(held) for key, held in units.items()}
    whole: PlannedStratum | None = None
    if order.scope == "population":
        hole = _hole_chips(order.hole, population.units, tpp)
        check_hole(len(population.units), hole)
        holes = dict.fromkeys(sizes, hole)
        drawn = _spread(sizes, hole, allowed)
        whole = _whole(sizes, drawn, hole, allowed)
    else:
        holes = {key: _hole_chips(order.hole, held, tpp) for key, held in units.items()}
        drawn = {
            key: exact_size(chips, min(holes[key], chips), allowed=allowed)
            for key, chips in sizes.items()
        }
    strata = tuple(
        _stratum(key, Sampled(chips=chips, sample=drawn[key]), min(holes[key], chips), allowed)
        for key, chips in sizes.items()
    )
    return Plan(
        format="chipledger-sample-plan-1",
        site=population.site,
        population=digest_of(population),
        commitment=order.commitment,
        confidence_ppm=order.confidence_ppm,
        hole=order.hole,
        scope=order.scope,
        split=tuple(order.split),
        sample=sum(drawn.values()),
        achieved_ppm=whole.achieved_ppm if whole else min(one.achieved_ppm for one in strata),
        strata=strata,
        whole=whole,
        tpp=dict(tpp),
        catalogue=table,
    )


def draw(plan: Plan, population: Population, seed: bytes) -> Sample:
    """Return the sample that the seed decides.

    Within a stratum the chips are put in the order of SHA-256(tag ‖ 0 ‖ seed ‖ population digest
    ‖ id), the digest as its 32 bytes and the id in UTF-8, and the first of them are drawn. So no
    chip is drawn twice, a larger sample holds the smaller one, and each draw is checked by hand.

    Raises:
        BookError: `malformed-seed`, `commitment-mismatch`, `population-changed`, or
            `plan-does-not-hold` for a plan that is not what planning gives.
    """
    if commitment_of(seed) != plan.commitment:
        raise refuse(
            Code.COMMITMENT_MISMATCH,
            f"the seed's SHA-256 is {commitment_of(seed)}, the plan names {plan.commitment}",
            where="seed",
            hint="draw with the seed that was committed to; another seed is another draw",
        )
    check_plan(plan, population)
    strata = strata_of(population, plan.split)
    units = [
        unit
        for stratum in plan.strata
        for unit in _first(strata[stratum.sku, stratum.grade], stratum.sample, plan, seed)
    ]
    return Sample(
        format="chipledger-sample-1",
        site=plan.site,
        population=plan.population,
        plan=digest_of(plan),
        seed=seed.hex(),
        units=tuple(Drawn(number=place, unit=unit) for place, unit in enumerate(units, start=1)),
    )


def check_plan(plan: Plan, population: Population) -> None:
    """Do nothing if a plan is for this population, and is what planning gives for what it asks.

    Raises:
        BookError: `population-changed` or `plan-does-not-hold`.
    """
    if digest_of(population) != plan.population:
        raise refuse(
            Code.POPULATION_CHANGED,
            f"this population is {digest_of(population)}, the plan was made for {plan.population}",
            where="population",
            hint="give the population that was frozen, or make and commit to a new plan",
        )
    if plan != _planned_again(plan, population):
        raise refuse(
            Code.PLAN_DOES_NOT_HOLD,
            "strata, sizes or probabilities are not what this population and hole give",
            where="plan",
            hint="make the plan with this program and leave it unchanged",
        )


def _planned_again(plan: Plan, population: Population) -> Plan | None:
    """Return what planning gives for what a plan says it was asked, or None if that is nothing."""
    models = {unit.sku for unit in population.units}
    if plan.hole.by == "tpp" and not models <= plan.tpp.keys():
        return None
    order = Order(
        hole=plan.hole,
        confidence_ppm=plan.confidence_ppm,
        commitment=plan.commitment,
        split=plan.split,
        scope=plan.scope,
    )
    with suppress(BookError):
        return _plan(population, order, plan.tpp, plan.catalogue)
    return None


def achieved_ppm(plan: Plan, parts: Sequence[Sampled]) -> int:
    """Return the probability of finding the plan's hole when this many of each stratum count.

    In millionths, rounded down; the parts in the order of the plan's strata.
    """
    if plan.whole is not None:
        return detection_ppm(parts, plan.whole.hole_chips)
    return min(
        detection_ppm([part], stratum.hole_chips)
        for part, stratum in zip(parts, plan.strata, strict=True)
    )


def _first(units: Iterable[Unit], number: int, plan: Plan, seed: bytes) -> list[Unit]:
    """Return the first chips of a stratum, in the order that the seed gives them."""
    head = DRAW_TAG + b"\0" + seed + b64url_decode(plan.population)
    ranked = sorted(units, key=lambda unit: hashlib.sha256(head + unit.id.encode()).digest())
    return ranked[:number]


def _stratum(key: Key, part: Sampled, hole: int, allowed: Fraction) -> PlannedStratum:
    return PlannedStratum(
        sku=key[0],
        grade=key[1],
        chips=part.chips,
        hole_chips=hole,
        sample=part.sample,
        exact=exact_size(part.chips, hole, allowed=allowed),
        short=short_size(part.chips, hole, allowed=allowed),
        achieved_ppm=detection_ppm([part], hole),
    )


def _whole(
    sizes: Mapping[Key, int], drawn: Mapping[Key, int], hole: int, allowed: Fraction
) -> PlannedStratum:
    """Return the population as one stratum, with the probability that its strata really give."""
    parts = [Sampled(chips=sizes[key], sample=drawn[key]) for key in sizes]
    one = Sampled(chips=sum(sizes.values()), sample=sum(drawn.values()))
    return msgspec.structs.replace(
        _stratum((None, None), one, hole, allowed), achieved_ppm=detection_ppm(parts, hole)
    )


def _spread(sizes: Mapping[Key, int], hole: int, allowed: Fraction) -> dict[Key, int]:
    """Return the same share of every stratum, rounded up: the least that finds the hole anywhere.

    With one stratum this is the exact size.
    """
    chips = sum(sizes.values())

    def share(number: int) -> dict[Key, int]:
        return {key: -(-number * size // chips) for key, size in sizes.items()}

    def suffices(number: int) -> bool:
        parts = [Sampled(chips=sizes[key], sample=part) for key, part in share(number).items()]
        return misses_at_most(parts, hole, allowed=allowed)

    return share(smallest(suffices, most=chips))


def _hole_chips(hole: Hole, units: Sequence[Unit], tpp: Mapping[str, int]) -> int:
    """Return a hole in chips: the fewest that make up a significant quantity.

    A share is rounded to the nearest chip, a half down, and is one chip at least.
    """
    if hole.by == "chips":
        return hole.amount
    if hole.by == "share":
        return max(1, -((PPM - 2 * hole.amount * len(units)) // (2 * PPM)))
    numbers = Counter(unit.sku for unit in units)
    rest, chips = hole.amount, 0
    for sku, number in sorted(numbers.items(), key=lambda one: -tpp[one[0] or ""]):
        each = tpp[sku or ""]
        taken = min(number, -(-rest // each)) if each else number
        rest, chips = rest - taken * each, chips + taken
        if rest <= 0:
            return chips
    return len(units) + 1


def _tpp(population: Population, catalogue: Catalogue) -> dict[str, int]:
    """Return the TPP of a chip of each model of a population.

    Raises:
        BookError: `unknown-sku`, of the catalogue's own or for chips of no known model.
    """
    day = day_of(population.as_of_ms)
    models = {unit.sku for unit in population.units}
    if None in models:
        raise refuse(
            Code.UNKNOWN_SKU,
            "the population holds chips of unknown model, whose TPP is not known",
            where="hole",
            hint="give the hole in chips or as a share",
        )
    return {sku: catalogue.sku(sku, day).tpp for sku in models if sku is not None}
