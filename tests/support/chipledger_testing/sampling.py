"""Populations, plans and draws for tests, and the vectors of the draw."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from chipledger_book.catalogue import Catalogue
from chipledger_book.counts.population import Population, Unit, digest_of, in_order
from chipledger_book.counts.sampling import (
    Hole,
    Order,
    Plan,
    Sample,
    Scope,
    Split,
    commitment_of,
    draw,
    plan_sample,
)
from chipledger_book.shipped import every
from chipledger_evidence.appraisal.grades import Grade
from chipledger_evidence.codec import encode_canonical

AT_MS = 1_790_000_000_000
SEED = bytes(range(32))
CATALOGUE = next(table for table in every() if isinstance(table, Catalogue))
"""The first one that shipped: it stays what it is, whatever ships later, and so do the vectors."""
H100, GB200 = "H100-SXM5-80GB", "GB200-186GB"


def seed_of(number: int) -> bytes:
    """Return one of many seeds."""
    return hashlib.sha256(f"seed {number}".encode()).digest()


def unit(number: int, *, sku: str | None = H100, grade: Grade = Grade.G1) -> Unit:
    """Return one chip of eight in a server, with all its names."""
    return Unit(
        id=f"chip-{number:04d}",
        grade=grade,
        sku=sku,
        host=f"h-{number // 8}",
        place=f"R1/U{number // 8}",
        pdi=f"{number + 1:016x}",
        uuid=f"GPU-{number:08x}-0000-0000-0000-000000000000",
        board=f"165{number:010d}",
        server=f"SRV-{number // 8}",
    )


def population(units: Sequence[Unit] | int) -> Population:
    """Return a population of these chips, or of that many H100 of grade G1."""
    chips = [unit(number) for number in range(units)] if isinstance(units, int) else units
    return in_order(
        Population(
            format="chipledger-population-1", site="johor-1", as_of_ms=AT_MS, units=tuple(chips)
        )
    )


def mixed() -> Population:
    """Return 24 H100 of two grades and 16 GB200."""
    return population(
        [
            *(unit(number, grade=Grade.G1 if number < 16 else Grade.G0) for number in range(24)),
            *(unit(number, sku=GB200, grade=Grade.G3) for number in range(24, 40)),
        ]
    )


def plan_for(
    chips: Population,
    hole: Hole,
    *,
    confidence_ppm: int = 950_000,
    split: Sequence[Split] = ("sku", "grade"),
    scope: Scope = "population",
    seed: bytes = SEED,
) -> Plan:
    """Return the plan under the first shipped catalogue."""
    order = Order(
        hole=hole,
        confidence_ppm=confidence_ppm,
        commitment=commitment_of(seed),
        split=split,
        scope=scope,
    )
    return plan_sample(chips, order, CATALOGUE)


def sampling_vectors() -> list[dict[str, Any]]:
    """Return populations with what a plan asks of them, and what a seed draws."""
    orders: list[tuple[str, Population, Hole, tuple[Split, ...], Scope]] = [
        ("one stratum", population(20), Hole(by="chips", amount=3), (), "population"),
        ("by model and grade", mixed(), Hole(by="share", amount=100_000), ("sku", "grade"),
         "population"),
        ("a significant quantity", mixed(), Hole(by="tpp", amount=79_160), ("sku",), "population"),
        ("a hole in each stratum", mixed(), Hole(by="chips", amount=2), ("sku", "grade"),
         "each-stratum"),
    ]  # fmt: skip
    rows = []
    for text, chips, hole, split, scope in orders:
        for seed in (SEED, seed_of(1)):
            plan = plan_for(chips, hole, split=split, scope=scope, seed=seed)
            rows.append(_row(text, chips, plan, draw(plan, chips, seed)))
    return rows


def _row(text: str, chips: Population, plan: Plan, sample: Sample) -> dict[str, Any]:
    return {
        "commitment": plan.commitment,
        "description": f"{text}, seed {sample.seed[:8]}",
        "drawn": [one.unit.id for one in sample.units],
        "plan": json.loads(encode_canonical(plan)),
        "plan_digest": digest_of(plan),
        "population": json.loads(encode_canonical(chips)),
        "population_digest": digest_of(chips),
        "seed": sample.seed,
    }
