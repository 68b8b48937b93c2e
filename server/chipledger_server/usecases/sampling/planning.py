"""Planning a sample: the population is frozen and the seed committed to, in one record of the log.

Nobody can choose afterwards: neither the auditor, whose seed is bound by its digest, nor whoever
would move chips once it is known which are drawn.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec

from chipledger_book.counts.population import Population, digest_of
from chipledger_book.counts.sampling import (
    SEED_BYTES,
    Hole,
    Order,
    Plan,
    Scope,
    Split,
    commitment_of,
    plan_sample,
)
from chipledger_book.errors import BookError
from chipledger_book.errors import Code as BookCode
from chipledger_book.terms import Sha256Hex
from chipledger_server.usecases.access import Principal, Role, demand_site
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.sampling.frame import Frame, demand_population, frame_of
from chipledger_server.usecases.sampling.store import Planned, SampleDesk, Step, Taken

HOUR_MS: Final = 3_600_000
ANSWER_WITHIN_MS: Final = 24 * HOUR_MS
"""How long chips may take to answer after a draw, where the auditor says nothing else."""
MOST_ANSWER_MS: Final = 90 * 24 * HOUR_MS
_UNSEEN: Final = hashlib.sha256(bytes(SEED_BYTES)).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an auditor asks of a sample.

    Attributes:
        when: what was true at, and what was known at; now unless a past list is to be tested.
        commitment: SHA-256 of the auditor's own seed, in hex; None: the collector makes one.
        answer_within_ms: how long after the draw a chip may take to answer.
    """

    site: str
    hole: Hole
    confidence_ppm: int
    when: When
    split: Sequence[Split] = ("sku", "grade")
    scope: Scope = "population"
    commitment: str | None = None
    answer_within_ms: int = ANSWER_WITHIN_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A plan in the log.

    Attributes:
        seed: the seed where the collector made it; shown once and kept nowhere.
    """

    planned: Planned
    frame: Frame
    seed: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A plan that nobody has committed to."""

    plan: Plan
    frame: Frame
    population: Population


def demand_auditor(who: Principal, site: str) -> None:
    """Do nothing if a principal may plan and count at a site.

    Raises:
        Refusal: `outside-scope` or `forbidden`.
    """
    demand_site(who, site)
    if who.role is not Role.AUDITOR:
        raise Refusal(
            Code.FORBIDDEN,
            f"{who.name} is {who.role}; only an auditor plans and counts",
            hint="whoever holds the chips, or runs the collector, does not choose which are seen",
        )


def try_plan(ask: Asked, desk: SampleDesk) -> Tried:
    """Return what a plan would be; nothing is written.

    Raises:
        BookError: `unknown-site`, `hole-out-of-bounds`, `confidence-out-of-bounds`.
        Refusal: `invalid-parameter`.
    """
    _check(ask)
    measure = desk.measures(ask.when.known_at_ms)
    with desk.reads.snapshot() as snapshot:
        frame = frame_of(snapshot, ask.site, ask.when, measure)
    population = demand_population(frame, ask.site)
    order = Order(
        hole=ask.hole,
        confidence_ppm=ask.confidence_ppm,
        commitment=ask.commitment or _UNSEEN,
        split=ask.split,
        scope=ask.scope,
    )
    try:
        plan = plan_sample(population, order, measure.tables.catalogue)
    except BookError as error:
        if error.code is not BookCode.UNKNOWN_SKU:
            raise
        raise Refusal(Code.INVALID_PARAMETER, error.detail, hint=error.hint) from error
    return Tried(plan=plan, frame=frame, population=population)


def commit_plan(ask: Asked, desk: SampleDesk, hand: Hand, who: Principal) -> Committed:
    """Freeze the population and commit to plan and seed, in the log.

    Raises:
        BookError: as :func:`try_plan`.
        Refusal: as there; `outside-scope`, `forbidden`, `commitment-used`.
    """
    demand_auditor(who, ask.site)
    seed = None if ask.commitment else hand.entropy(SEED_BYTES)
    commitment = ask.commitment or commitment_of(seed or b"")
    tried = try_plan(replace(ask, commitment=commitment), desk)
    plan = tried.plan
    planned = Planned(
        id=digest_of(plan),
        site=ask.site,
        plan=plan,
        seed_by="auditor" if seed is None else "collector",
        answer_within_ms=ask.answer_within_ms,
        planned_ms=hand.now_ms,
        principal=hand.principal,
        chips=len(tried.population.units),
    )
    detail = {
        "answer_within_ms": str(ask.answer_within_ms),
        "chips": str(planned.chips),
        "commitment": plan.commitment,
        "population": plan.population,
        "sample": str(plan.sample),
        "seed_by": planned.seed_by,
        "site": ask.site,
    }
    record = hand.draft("sample-planned", planned.id, detail)
    if not desk.store.commit(planned, tried.population, record):
        raise Refusal(
            Code.COMMITMENT_USED,
            f"the commitment {plan.commitment} stands in the log already",
            hint="a seed decides one draw: make a new one",
        )
    return Committed(planned=planned, frame=tried.frame, seed=seed)


def announce(site: str, key: str, desk: SampleDesk, hand: Hand, *, who: Principal) -> None:
    """Let the operator of a site know that a count is coming; what is drawn stays unsaid.

    Raises:
        Refusal: `outside-scope`, `forbidden`, `unknown-sample`, `already-announced`.
    """
    demand_auditor(who, site)
    demand_planned(site, key, desk)
    taken = Taken(
        sample=key,
        step=Step.ANNOUNCED,
        number=0,
        at_ms=hand.now_ms,
        principal=hand.principal,
        digest="",
        body=b"",
    )
    if not desk.store.take(taken, hand.draft("sample-announced", key, {"site": site})):
        raise Refusal(
            Code.ALREADY_ANNOUNCED, "the operator was told of this count", hint="nothing to do"
        )


def demand_planned(site: str, key: str, desk: SampleDesk) -> Planned:
    """Return a plan of a site.

    Raises:
        Refusal: `unknown-sample`.
    """
    planned = desk.store.plan(site, key)
    if planned is None:
        raise unknown_sample(site, key)
    return planned


def unknown_sample(site: str, key: str) -> Refusal:
    """Return the answer to who asks for a sample that there is not, or not for them."""
    return Refusal(
        Code.UNKNOWN_SAMPLE,
        f"no sample {key[:64]} of {site} is known",
        hint="the samples page of the site and `chipledger-server sample show` list them",
    )


def _check(ask: Asked) -> None:
    if not HOUR_MS <= ask.answer_within_ms <= MOST_ANSWER_MS:
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"{ask.answer_within_ms} ms to answer",
            hint="give chips an hour at least and 90 days at most",
        )
    if ask.commitment is not None:
        try:
            msgspec.convert(ask.commitment, Sha256Hex)
        except msgspec.ValidationError as error:
            raise Refusal(
                Code.INVALID_PARAMETER,
                f"{ask.commitment[:80]!r} is no commitment",
                hint="64 lower-case hex digits: SHA-256 of 32 random bytes",
            ) from error
