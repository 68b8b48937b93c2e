"""The draw: the seed is shown, held against its commitment, and decides what is looked at."""

import binascii
from dataclasses import dataclass
from typing import Final

from chipledger_book.counts.population import Population, digest_of
from chipledger_book.counts.sampling import Sample, commitment_of, draw
from chipledger_book.errors import Code as BookCode
from chipledger_book.errors import refuse
from chipledger_evidence.codec import encode_canonical
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.sampling.frame import change_between, frame_of
from chipledger_server.usecases.sampling.planning import demand_auditor, demand_planned
from chipledger_server.usecases.sampling.store import Planned, SampleDesk, Step, Taken

MAX_NOTE: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Revealed:
    """The seed of a plan.

    Attributes:
        seed: 32 bytes.
        changed: why it is drawn although the population is not what it was, or None.
    """

    site: str
    sample: str
    seed: bytes
    changed: str | None = None


def seed_in(text: str) -> bytes:
    """Return a seed as people paste it: 64 hex digits.

    Raises:
        BookError: `malformed-seed`.
    """
    try:
        return binascii.unhexlify(text.strip())
    except (binascii.Error, ValueError) as error:
        raise refuse(
            BookCode.MALFORMED_SEED, "not hex", where="seed", hint="64 hex digits: 32 bytes"
        ) from error


def draw_sample(ask: Revealed, desk: SampleDesk, hand: Hand, who: Principal) -> Sample:
    """Draw what the seed decides from the population that was frozen, and log both.

    Raises:
        BookError: `malformed-seed`, `commitment-mismatch`, `population-changed`.
        Refusal: `outside-scope`, `forbidden`, `unknown-sample`, `already-drawn`,
            `invalid-parameter`.
    """
    demand_auditor(who, ask.site)
    planned = demand_planned(ask.site, ask.sample, desk)
    if any(taken.step is Step.DRAWN for taken in desk.store.taken(ask.sample)):
        raise _already_drawn()
    _check_seed(planned, ask.seed)
    population = population_of(planned, desk)
    note = _note_of_change(ask, population, desk, hand)
    sample = draw(planned.plan, population, ask.seed)
    body = encode_canonical(sample)
    due_ms = hand.now_ms + planned.answer_within_ms
    taken = Taken(
        sample=planned.id,
        step=Step.DRAWN,
        number=0,
        at_ms=hand.now_ms,
        principal=hand.principal,
        digest=digest_of(sample),
        body=body,
        note=note,
        due_ms=due_ms,
    )
    detail = {
        "due_ms": str(due_ms),
        "population_change": note,
        "sample": taken.digest,
        "seed": sample.seed,
        "site": ask.site,
    }
    if not desk.store.take(taken, hand.draft("sample-drawn", planned.id, detail)):
        raise _already_drawn()
    return sample


def population_of(planned: Planned, desk: SampleDesk) -> Population:
    """Return the population that a plan was made for."""
    population = desk.store.population(planned.id)
    if population is None:
        raise AssertionError("a plan is kept with its population")
    return population


def _already_drawn() -> Refusal:
    return Refusal(
        Code.ALREADY_DRAWN,
        "this plan was drawn; a plan has one draw",
        hint="plan another sample, with another seed",
    )


def _check_seed(planned: Planned, seed: bytes) -> None:
    """Do nothing if a seed is the one that was committed to."""
    shown = commitment_of(seed)
    if shown != planned.plan.commitment:
        raise refuse(
            BookCode.COMMITMENT_MISMATCH,
            f"the seed's SHA-256 is {shown}, the log says {planned.plan.commitment}",
            where="seed",
            hint="draw with the seed that was committed to; another seed is another draw",
        )


def _note_of_change(ask: Revealed, frozen: Population, desk: SampleDesk, hand: Hand) -> str:
    """Return what is said of how the population changed since; empty where it did not.

    The draw is from the frozen one either way: what went must still be found.

    Raises:
        BookError: `population-changed` where it did and nobody said so.
    """
    when = When(as_of_ms=hand.now_ms, known_at_ms=hand.now_ms)
    with desk.reads.snapshot() as snapshot:
        frame = frame_of(snapshot, ask.site, when, desk.measures(hand.now_ms))
    change = change_between(frozen, frame.population)
    if not change:
        return ""
    said = (ask.changed or "").strip()
    if not said:
        names = ", ".join((*change.went, *change.came, *change.renamed)[:5])
        raise refuse(
            BookCode.POPULATION_CHANGED,
            f"since the plan {change.words}: {names}",
            where="population",
            hint="say why, and the draw stays from the frozen list; or make a new plan",
        )
    if len(said) > MAX_NOTE or not said.isprintable():
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"the reason is not one line of at most {MAX_NOTE} characters",
            hint="say it in one sentence",
        )
    return f"{change.words}: {said}"
