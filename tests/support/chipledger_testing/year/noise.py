"""How much an honest year raises, and whether paper, metal and truth agree at its end."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chipledger_book.terms import Severity
from chipledger_book.timers import DAY_MS
from chipledger_book.watch import Fact
from chipledger_testing.year.running import Key, Look, Watching, broken_laws
from chipledger_testing.year.things import END, START
from chipledger_testing.year.world import World

WEEK_MS = 7 * DAY_MS
SETTLED_MS = END + 100 * DAY_MS
"""When the papers of the year are in, and nothing new has happened since its end."""
_HEAVY = (Severity.HIGH, Severity.CRITICAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What an honest year raised.

    Attributes:
        chip_years: chips that were seen, for as long as they were, in thousandths of a chip-year.
        raised: kind and severity → findings.
        heavy: findings of high or critical severity.
        words: what each heavy one says.
        wrong: what does not add up.
    """

    chip_years: int
    raised: Counter[tuple[str, str]]
    heavy: int
    words: tuple[str, ...]
    wrong: tuple[str, ...]


def honest_noise(world: World, *, told: Callable[[int], None] = lambda _: None) -> Noise:
    """Return what an honest year raises when it is looked at every week.

    Args:
        world: the year.
        told: is called with the number of each week that is done.
    """
    watching, heaviest = Watching(world), dict[Key, Fact]()
    wrong, chips = list[str](), 0
    times = range(START, SETTLED_MS, WEEK_MS)
    for week, at_ms in enumerate(times):
        look = watching.look(at_ms)
        wrong += broken_laws(look)
        chips += sum(map(len, look.seen.values())) if at_ms < END else 0
        for key, fact in look.facts.items():
            if key not in heaviest or _rank(fact) > _rank(heaviest[key]):
                heaviest[key] = fact
        told(week)
    wrong += _unsettled(world, watching.look(SETTLED_MS))
    heavy = [fact for fact in heaviest.values() if fact.severity in _HEAVY]
    return Noise(
        chip_years=chips * 1000 // 53,
        raised=Counter((str(one.kind), str(one.severity)) for one in heaviest.values()),
        heavy=len(heavy),
        words=tuple(f"{one.kind} {one.key}: {one.pieces} chips, {one.tpp} TPP" for one in heavy),
        wrong=tuple(wrong),
    )


def _rank(fact: Fact) -> int:
    return tuple(Severity).index(fact.severity)


def _unsettled(world: World, look: Look) -> Iterator[str]:
    """Yield where book, sightings and truth differ once all papers are in."""
    truth = world.truth(look.at_ms)
    for site, report in look.reports.items():
        for row in report.rows:
            real = truth[site][row.sku]
            if (row.book, row.present.total, row.unaccounted, row.overage) != (real, real, 0, 0):
                yield (
                    f"{site} {row.sku}: {real} are there, {row.book} on the book,"
                    f" {row.present.total} seen, {row.unaccounted} missing, {row.overage} over"
                )
