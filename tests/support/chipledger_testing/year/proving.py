"""Whether a year shows what the table of diversions says: neither less nor more."""

from collections import Counter
from collections.abc import Iterator, Mapping
from copy import deepcopy

from chipledger_book import shipped
from chipledger_book.terms import day_of
from chipledger_book.timers import DAY_MS, HOUR_MS, Timer
from chipledger_book.watch import Fact
from chipledger_book.watch.diversions import Column, Diversion, Help, Outcome, Papers, Result
from chipledger_book.watch.times import Clock
from chipledger_testing.year import planted_arrivals, planted_departures
from chipledger_testing.year.planting import ACT, ACTS, Planted, Plot
from chipledger_testing.year.running import Key, Look, Watching, broken_laws
from chipledger_testing.year.things import END
from chipledger_testing.year.world import World

REGISTERED = (planted_arrivals, planted_departures)


def prove(
    honest: World, diversion: Diversion, papers: Papers, given: Help | None
) -> tuple[str, ...]:
    """Return what is otherwise than the table says of a diversion planted into a year."""
    world, twin = deepcopy(honest), deepcopy(honest)
    planted = ACTS[diversion.id](Plot(world=world, twin=twin, papers=papers, given=given))
    outcome = diversion.outcome(papers, given)
    if outcome is None:
        return (f"the table says nothing of {diversion.id} by {papers} with {given}",)
    times = _times(outcome, planted, world)
    pairs = tuple(zip(_looks(twin, times), _looks(world, times), strict=True))
    laws = [law for _, look in pairs for law in broken_laws(look)]
    if outcome.result is Result.CANNOT_SEE:
        return (*laws, *_seen(pairs))
    return (*laws, *_early(pairs[0], outcome), *_found(pairs[1], outcome, planted, papers))


def _times(outcome: Outcome, planted: Planted, world: World) -> tuple[int, ...]:
    if outcome.result is Result.CANNOT_SEE:
        return (*(ACT + number * DAY_MS for number in (1, 20, 65)), END)
    return planted.since_ms - HOUR_MS, due_ms(outcome.timer, planted.since_ms, world) + HOUR_MS


def due_ms(timer: Timer | None, since_ms: int, world: World) -> int:
    """Return until when a finding may wait that began at a time."""
    if timer is None:
        return since_ms
    row = shipped.timers().limit(timer, day_of(since_ms))
    if row is None:
        raise AssertionError(timer)
    return Clock(world.downtime).due_ms(since_ms, row)


def _looks(world: World, times: tuple[int, ...]) -> list[Look]:
    watching = Watching(world)
    return [watching.look(at_ms) for at_ms in times]


def _new(pair: tuple[Look, Look]) -> dict[Key, Fact]:
    """Return the facts that the honest year has not, or has of another size."""
    honest, planted = pair
    return {
        key: fact
        for key, fact in planted.facts.items()
        if key not in honest.facts or honest.facts[key].pieces != fact.pieces
    }


def _seen(pairs: tuple[tuple[Look, Look], ...]) -> Iterator[str]:
    for pair in pairs:
        for kind, key in _new(pair):
            yield f"{kind} {key} is raised, and the table says that it cannot be seen"


def _early(pair: tuple[Look, Look], outcome: Outcome) -> Iterator[str]:
    for kind, key in _new(pair):
        if kind is outcome.kind:
            yield f"{kind} {key} is raised before it happened"


def _found(
    pair: tuple[Look, Look], outcome: Outcome, planted: Planted, papers: Papers
) -> Iterator[str]:
    found = _new(pair)
    wanted = [fact for (kind, _), fact in found.items() if kind is outcome.kind]
    if not wanted:
        yield f"{outcome.kind} is not raised: {sorted({kind for kind, _ in found})}"
    pieces = _pieces(pair[1], outcome) - _pieces(pair[0], outcome)
    exact = papers is Papers.CHIPS  # by number later arrivals stand for earlier ones for a while
    if planted.pieces and not (pieces == planted.pieces if exact else 0 < pieces <= planted.pieces):
        yield f"{outcome.kind} is about {pieces} chips more, not {planted.pieces}"
    named = {name for fact in wanted for name in fact.chips}
    names = {f"{kind} {getattr(chip, kind)}" for chip in planted.chips for kind in ("pdi", "uuid")}
    if planted.chips and not named & names:
        yield f"{outcome.kind} names none of the chips: {sorted(named)[:3]}"
    for kind, key in found:
        if kind is not outcome.kind and kind not in outcome.also:
            yield f"{kind} {key} is raised too, and the table does not say so"
    columns = balance_difference(*pair)
    if _absent(columns, papers) != _absent(planted.balance, papers):
        yield f"the balance differs by {dict(columns)}, not by {dict(planted.balance)}"
    said = {column for _, column in planted.balance}
    if said != {str(column) for column in outcome.balance}:
        yield f"the table names the columns {outcome.balance}, not {said}"


def _absent(
    columns: Mapping[tuple[str, str], int], papers: Papers
) -> Mapping[tuple[str, str], int]:
    """Return a difference as papers can tell it.

    By number a chip that is silent may stand for one that left or rests: those that do not answer
    are one number.
    """
    if papers is Papers.CHIPS:
        return columns
    found = Counter[tuple[str, str]]()
    for (site, column), number in columns.items():
        found[site, column if column == Column.OVERAGE else "absent"] += number
    return Counter({key: number for key, number in found.items() if number})


def _pieces(look: Look, outcome: Outcome) -> int:
    return sum(fact.pieces for (kind, _), fact in look.facts.items() if kind is outcome.kind)


def balance_difference(honest: Look, planted: Look) -> Mapping[tuple[str, str], int]:
    """Return, by site and column, how many more chips stand there than in the honest year."""
    found = Counter[tuple[str, str]]()
    for sign, look in ((1, planted), (-1, honest)):
        for site, report in look.reports.items():
            for row in report.rows:
                for column in Column:
                    found[site, str(column)] += sign * int(getattr(row, column))
    return Counter({key: number for key, number in found.items() if number})


def prove_all(honest: World, table: tuple[Diversion, ...]) -> tuple[str, ...]:
    """Return which findings of all diversions planted into one year are missing at its end."""
    world, twin = deepcopy(honest), deepcopy(honest)
    used: set[str] = set()
    wanted = []
    papers = Papers.CHIPS  # by number some of them together are what none of them is alone
    for diversion in table:
        outcome = diversion.outcome(papers)
        if outcome is None or outcome.result is Result.CANNOT_SEE:
            continue
        plot = Plot(world=world, twin=twin, papers=papers, used=used)
        planted = ACTS[diversion.id](plot)
        wanted.append(
            (due_ms(outcome.timer, planted.since_ms, world) + HOUR_MS, diversion, outcome)
        )
    times = tuple(sorted({time for time, _, _ in wanted}))
    watched = zip(_looks(twin, times), _looks(world, times), strict=True)
    pairs = dict(zip(times, watched, strict=True))
    return tuple(
        f"{diversion.id}: {outcome.kind} is not raised"
        for time, diversion, outcome in wanted
        if outcome.kind not in {kind for kind, _ in _new(pairs[time])}
    )
