"""Which drawn chips have answered since the draw, by what the collector itself has heard. Pure.

A chip has answered when its own signature arrived after the draw, or a fresh report of a host of
the site that lists it. A scanned label is no answer: of what no host shows there is no evidence.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from chipledger_book.counts.counting import Answer, Answers
from chipledger_book.counts.population import Population, Unit, digest_of
from chipledger_book.counts.sampling import Sample
from chipledger_evidence.appraisal.grades import Grade
from chipledger_server.usecases.sampling.frame import CHIP, by_board
from chipledger_server.usecases.sampling.store import Heard, Named, SampleStore

GRADES: Final = {"chip-signature": Grade.G3, "host-report": Grade.G1}
"""What an answer is worth: a chip's own signature, or its host's word in a fresh report."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What was heard of the chips of a sample.

    Attributes:
        chips: unit → the collector's id of its chip, where it has one.
        best: unit → the best answer from the site, where there is one.
        elsewhere: unit → an answer from another site, or in dispute; it is none for this site.
    """

    chips: Mapping[str, int]
    best: Mapping[str, Heard]
    elsewhere: Mapping[str, Heard]


def hearing_of(
    sample: Sample,
    population: Population,
    store: SampleStore,
    *,
    drawn_ms: int,
    until_ms: int,
) -> Hearing:
    """Return what was heard of a sample's chips after the draw, up to a time."""
    units = [drawn.unit for drawn in sample.units]
    chips = chips_of(units, population, store)
    heard = store.heard(set(chips.values()), after_ms=drawn_ms, until_ms=until_ms)
    return hear(chips, heard, site=sample.site)


def hear(chips: Mapping[str, int], heard: Iterable[Heard], *, site: str) -> Hearing:
    """Return the best answer of each unit: its own signature before its host's word."""
    here: dict[int, Heard] = {}
    away: dict[int, Heard] = {}
    for one in heard:
        found = here if one.site == site and one.counts else away
        known = found.get(one.chip)
        if known is None or _worth(one) > _worth(known):
            found[one.chip] = one
    return Hearing(
        chips=chips,
        best={unit: here[chip] for unit, chip in chips.items() if chip in here},
        elsewhere={
            unit: away[chip] for unit, chip in chips.items() if chip in away and chip not in here
        },
    )


def _worth(one: Heard) -> tuple[bool, int, str, str]:
    return one.by == "chip-signature", one.at_ms, one.host, one.token


def chips_of(units: Sequence[Unit], population: Population, store: SampleStore) -> dict[str, int]:
    """Return the collector's chip of each unit, where it has ever seen one."""
    known = {one.id: int(one.id.removeprefix(CHIP)) for one in population.units if _seen(one)}
    unseen = [unit for unit in units if not _seen(unit)]
    wanted = {name for unit in unseen for name in (unit.pdi, unit.uuid, unit.board) if name}
    named = store.named(wanted) if wanted else ()
    found = {unit.id: known[unit.id] for unit in units if unit.id in known}
    return {**found, **_by_names(unseen, population, named, taken=set(known.values()))}


def _seen(unit: Unit) -> bool:
    return unit.id.startswith(CHIP)


def _by_names(
    units: Sequence[Unit], population: Population, named: Iterable[Named], *, taken: set[int]
) -> dict[str, int]:
    """Return the chips of booked things by their names; of a board's chips each once."""
    by_name: dict[str, list[int]] = {}
    for one in sorted(named, key=lambda one: one.chip):
        by_name.setdefault(one.name, []).append(one.chip)
    boards = by_board(population)
    found: dict[str, int] = {}
    for unit in units:
        own = [chip for name in (unit.pdi, unit.uuid) if name for chip in by_name.get(name, ())]
        if own:
            found[unit.id] = own[0]
        elif unit.board is not None and unit.pdi is None and unit.uuid is None:
            free = [chip for chip in by_name.get(unit.board, ()) if chip not in taken]
            place = [one.id for one in boards[unit.board]].index(unit.id)
            if place < len(free):
                found[unit.id] = free[place]
    return found


def answers_of(sample: Sample, hearing: Hearing, *, due_ms: int, now_ms: int) -> Answers:
    """Return the answers to the challenges of a sample, as the collector knows them.

    Before the deadline a chip that was not heard is awaited; after it, it has not answered.
    """
    answers = []
    for drawn in sample.units:
        heard = hearing.best.get(drawn.unit.id)
        if heard is not None:
            answers.append(Answer(unit=drawn.unit.id, state="answered", evidence=heard.token))
        elif now_ms > due_ms:
            answers.append(Answer(unit=drawn.unit.id, state="not-answered"))
    return Answers(format="chipledger-answers-1", sample=digest_of(sample), answers=tuple(answers))
