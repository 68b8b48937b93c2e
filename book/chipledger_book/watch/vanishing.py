"""Of things known by number alone: which chips that do not answer any more no paper accounts for.

A paper by name is for the chips that bear it, and for no other.
A paper by number names no chip. It is taken for the one that fell silent last before it, because
who pulls a chip and says so says it soon. A chip that went without a paper so keeps the time at
which it went, however many others leave honestly after it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from chipledger_book.matching import KINDS
from chipledger_book.physical import SeenChip


@dataclass(slots=True, kw_only=True)
class Past:
    """One chip's history at one site.

    Attributes:
        chip: as it was seen, with every name that it ever gave.
        first_ms: first fresh sighting.
        last_ms: last fresh sighting.
        runs: first and last fresh sighting of each stay, oldest first.
        came_ms: when it came, the last time that it had been away for longer than `departure`.
    """

    chip: SeenChip
    first_ms: int
    last_ms: int
    runs: Sequence[tuple[int, int]] = ()
    came_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaving:
    """A thing that left, or rests, on paper.

    Attributes:
        at_ms: when, on paper.
        chips: how many.
        names: kind of name → name.
    """

    at_ms: int
    chips: int
    names: Mapping[str, str]


def unaccounted(
    gone: Iterable[Past], leaving: Iterable[Leaving], until: Callable[[int], int]
) -> list[Past]:
    """Return the chips that are gone and that no paper accounts for, the first to go first.

    Args:
        gone: chips that answered once and do not now.
        leaving: what left on paper.
        until: the time of a paper → how long after it a chip may still answer.
    """
    pool = sorted(gone, key=lambda past: (past.last_ms, past.chip.chip_id))
    papers = sorted(leaving, key=lambda one: (one.at_ms, sorted(one.names.items())))
    taken: set[str] = set()
    named = _named(pool)
    told = {kind for kind, _ in named}
    rest = [
        (one.at_ms, one.chips)
        for one in papers
        if not _by_name(one, named, taken) and told.isdisjoint(one.names)
    ]
    _by_time([past for past in pool if past.chip.chip_id not in taken], rest, until, taken)
    return [past for past in pool if past.chip.chip_id not in taken]


def _named(pool: Iterable[Past]) -> dict[tuple[str, str], list[SeenChip]]:
    found: dict[tuple[str, str], list[SeenChip]] = defaultdict(list)
    for past in pool:
        for kind in KINDS:
            name = getattr(past.chip, kind)
            if name:
                found[kind, name].append(past.chip)
    return found


def _by_name(
    one: Leaving, named: Mapping[tuple[str, str], Sequence[SeenChip]], taken: set[str]
) -> int:
    """Take the chips that bear a paper's name, and return how many."""
    bearing = (
        chip.chip_id
        for kind in KINDS
        for chip in named.get((kind, one.names.get(kind, "")), ())
        if _strongest(one.names, chip) == kind
    )
    found = [chip for chip in bearing if chip not in taken][: one.chips]
    taken.update(found)
    return len(found)


def _strongest(names: Mapping[str, str], chip: SeenChip) -> str | None:
    """Return the strongest kind of name that a thing and a chip both have."""
    return next((kind for kind in KINDS if kind in names and getattr(chip, kind)), None)


def _by_time(
    pool: Sequence[Past],
    papers: Iterable[tuple[int, int]],
    until: Callable[[int], int],
    taken: set[str],
) -> None:
    """Take for each paper the last to go before it, else the first to go soon after it."""
    before: list[Past] = []
    following = 0
    for at_ms, chips in papers:
        while following < len(pool) and pool[following].last_ms <= at_ms:
            before.append(pool[following])
            following += 1
        for _ in range(chips):
            while before and before[-1].chip.chip_id in taken:
                before.pop()
            after = next(
                (past for past in pool[following:] if past.chip.chip_id not in taken), None
            )
            if before:
                taken.add(before.pop().chip.chip_id)
            elif after is not None and after.last_ms <= until(at_ms):
                taken.add(after.chip.chip_id)
            else:
                break
