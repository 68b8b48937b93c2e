"""The peak of a period: the most that a site held of a model, on paper or seen.

What is there on the day of an audit says little of the month before it. So the use of licences
and ceilings goes by the largest that book or sightings ever reached within the period. On paper
only what arrived counts, because leaving gives no room back.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from chipledger_book.matching import Item
from chipledger_book.physical import ChipState, SeenChip, Stay

Span = tuple[int, int]
"""First and last millisecond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The most of one model that was at one site within a period.

    Attributes:
        pieces: the larger of `arrived` and `seen`.
        at_ms: when that was first reached.
        last_ms: when it was last so.
        arrived: what had arrived by `at_ms`, swaps of an RMA left out.
        seen: chips seen at `at_ms`.
    """

    pieces: int
    at_ms: int
    last_ms: int
    arrived: int
    seen: int


def peak(arrivals: Iterable[Item], spans: Iterable[Span], *, start_ms: int, as_of_ms: int) -> Peak:
    """Return the peak of what arrived up to a time, and of what was seen during it."""
    changes: dict[int, list[int]] = defaultdict(lambda: [0, 0])
    changes[start_ms][0] = 0
    changes[as_of_ms][0] = 0
    for item in arrivals:
        changes[max(item.occurred_at_ms, start_ms)][0] += item.chips
    for (first, last), chips in Counter(spans).items():
        if last >= start_ms and first <= as_of_ms:
            changes[max(first, start_ms)][1] += chips
            if last < as_of_ms:
                changes[last + 1][1] -= chips
    return _highest(changes, as_of_ms)


def _highest(changes: Mapping[int, Sequence[int]], as_of_ms: int) -> Peak:
    arrived = seen = 0
    times = sorted(time for time in changes if time <= as_of_ms)
    best = Peak(pieces=-1, at_ms=0, last_ms=0, arrived=0, seen=0)
    for time, after in zip(times, [*times[1:], as_of_ms + 1], strict=True):
        arrived += changes[time][0]
        seen += changes[time][1]
        pieces = max(arrived, seen)
        if pieces > best.pieces:
            best = Peak(pieces=pieces, at_ms=time, last_ms=after - 1, arrived=arrived, seen=seen)
        elif pieces == best.pieces:
            best = Peak(
                pieces=pieces,
                at_ms=best.at_ms,
                last_ms=after - 1,
                arrived=best.arrived,
                seen=best.seen,
            )
    return best


def spans_of(
    seen: Sequence[SeenChip], stays: Iterable[Stay], *, as_of_ms: int
) -> Iterator[tuple[str, Span]]:
    """Yield when each chip was at a site, each time once, by its id.

    A chip that is there now, answering or silent, has been since its last stay began. A chip
    whose claim is contested here does not count here, now or before.
    """
    once: dict[str, Span] = {}
    often: dict[str, list[Span]] = {}
    for stay in stays:
        span = (stay.from_ms, stay.until_ms)
        if once.setdefault(stay.chip_id, span) is not span:
            often.setdefault(stay.chip_id, [once[stay.chip_id]]).append(span)
    for chip in seen:
        before = often.pop(chip.chip_id, None)
        latest = once.pop(chip.chip_id, None)
        if chip.state is ChipState.DISPUTED:
            continue
        if before is not None:
            for span in _merged([*before, (max(before)[0], as_of_ms)]):
                yield chip.chip_id, span
        elif latest is not None:
            yield chip.chip_id, (latest[0], max(latest[1], as_of_ms))
        else:
            yield chip.chip_id, (as_of_ms, as_of_ms)
    for chip_id, span in once.items():  # no longer here
        for merged in _merged(often.get(chip_id, [span])):
            yield chip_id, merged


def _merged(spans: list[Span]) -> list[Span]:
    """Return the times that lie in any of some spans, as spans that do not touch."""
    if len(spans) == 1:
        return spans
    spans.sort()
    merged = [spans[0]]
    for first, last in spans[1:]:
        if first <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged
