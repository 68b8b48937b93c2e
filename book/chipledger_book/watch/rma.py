"""Back to the vendor: what waits for its word or its replacement, and whether it is too much."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Final

from chipledger_book.events import Received
from chipledger_book.inventory import Listed
from chipledger_book.ledger import Booked
from chipledger_book.movements import (
    Decommissioned,
    Destroyed,
    RmaIn,
    RmaOut,
    Shipped,
    TransferIn,
    TransferOut,
)
from chipledger_book.statements import Role
from chipledger_book.timers import DAY_MS, Threshold, Timer
from chipledger_book.watch.facts import FactKind, Owner, Wait, WaitKind
from chipledger_book.watch.look import Found, Grounds, Look
from chipledger_book.watch.poisson import PPM, upper_edge
from chipledger_book.watch.times import following_quarter, quarter_ms, quarter_of

YEAR_MS = 365 * DAY_MS
_IN: Final[tuple[type[Listed], ...]] = (Received, TransferIn, RmaIn)
_OUT: Final[tuple[type[Listed], ...]] = (Shipped, TransferOut, RmaOut, Decommissioned, Destroyed)


def open_rmas(look: Look) -> Iterator[Found]:
    """Yield what waits for a vendor's word and for what it sends, and what of it is late.

    Chips stay on the book until the vendor speaks, so what it does not confirm is unaccounted for.
    """
    for entry in look.moves(RmaOut):
        yield from _confirmation(look, entry)
        yield from _return(look, entry)


def _confirmation(look: Look, entry: Booked[RmaOut]) -> Iterator[Found]:
    since = entry.event.occurred_at_ms
    due = look.gauge.due_ms(Timer.RMA_CONFIRMATION, since)
    if due is None:
        return
    said = look.confirmed_at(entry)
    counts = look.pieces(entry)
    owner = Owner(role=Role.VENDOR, party=entry.event.vendor)
    yield Wait(
        kind=WaitKind.RMA_CONFIRMATION,
        site=look.site,
        event=entry.id,
        chip=None,
        key=entry.id,
        owner=owner,
        since_ms=since,
        due_ms=due,
        done_ms=said,
        pieces=0 if said is not None else sum(counts.values()),
    )
    if said is None and look.at_ms > due:
        long = look.gauge.past(Timer.RMA_ESCALATION, since)
        yield look.fact(
            FactKind.RMA_OPEN,
            f"{entry.id}:confirmation",
            Grounds(
                since_ms=since,
                counts=counts,
                owner=owner,
                events=[entry.id],
                weight="rma-open-long" if long else "",
                detail={"waits_for": "confirmation", "case": entry.event.case, "due_ms": due},
            ),
        )


def _return(look: Look, entry: Booked[RmaOut]) -> Iterator[Found]:
    since = entry.event.occurred_at_ms
    due = look.gauge.due_ms(Timer.RMA_RETURN, since)
    if due is None:
        return
    back = [
        Booked(id=one.id, event=one.event)
        for one in look.book.answers(entry.id, look.at_ms)
        if isinstance(one.event, RmaIn)
    ]
    came = Counter[str]()
    for one in back:
        came.update(look.pieces(one))
    left = _left(look.pieces(entry), sum(came.values()))
    owner = Owner(role=Role.VENDOR, party=entry.event.vendor)
    yield Wait(
        kind=WaitKind.RMA_RETURN,
        site=look.site,
        event=entry.id,
        chip=None,
        key=entry.id,
        owner=owner,
        since_ms=since,
        due_ms=due,
        done_ms=None if left else max(one.event.occurred_at_ms for one in back),
        pieces=sum(left.values()),
    )
    if left and look.at_ms > due and look.confirmed_at(entry) is not None:
        yield look.fact(
            FactKind.RMA_OPEN,
            f"{entry.id}:return",
            Grounds(
                since_ms=since,
                counts=left,
                owner=owner,
                events=[entry.id, *(one.id for one in back)],
                weight="rma-open-return",
                detail={"waits_for": "return", "case": entry.event.case, "due_ms": due},
            ),
        )


def _left(out: dict[str, int], came: int) -> dict[str, int]:
    """Return what has not come back: by number, because a replacement may be another model."""
    left: dict[str, int] = {}
    for sku, pieces in sorted(out.items()):
        taken = min(pieces, came)
        came -= taken
        if pieces > taken:
            left[sku] = pieces - taken
    return left


def rma_rate(look: Look) -> Iterator[Found]:
    """Yield each quarter in which more was sent back than an honest rate explains.

    The expected number is the rate times the chips on the book and the time they were there; in
    the running quarter, times what is on the book now to its end. So the edge of the band is the
    same all quarter, and looking at it every day alarms no more often than looking once.
    """
    out = look.moves(RmaOut)
    if not out:
        return
    by_quarter: dict[tuple[int, int], list[Booked[RmaOut]]] = defaultdict(list)
    for entry in out:
        by_quarter[quarter_of(entry.event.occurred_at_ms)].append(entry)
    exposure = _exposure(look, first=min(by_quarter))
    for quarter, entries in by_quarter.items():
        yield from _quarter(look, quarter, entries, chip_ms=exposure[quarter])


def _quarter(
    look: Look, quarter: tuple[int, int], entries: Sequence[Booked[RmaOut]], *, chip_ms: int
) -> Iterator[Found]:
    start, _ = quarter_ms(quarter)
    rate = look.gauge.amount(Threshold.RMA_RATE, start)
    band = look.gauge.amount(Threshold.RMA_BAND, start)
    wide = look.gauge.amount(Threshold.RMA_WIDE_BAND, start)
    if rate is None or band is None:
        return
    counts = Counter[str]()
    for entry in entries:
        counts.update(look.pieces(entry))
    mean = Fraction(rate * chip_ms, PPM * YEAR_MS)
    edge, number = upper_edge(mean, band), sum(counts.values())
    if number <= edge:
        return
    far = wide is not None and number > upper_edge(mean, wide)
    yield look.fact(
        FactKind.RMA_RATE,
        f"{look.site}:{quarter[0]}-Q{quarter[1]}",
        Grounds(
            since_ms=start,
            counts=counts,
            owner=look.operator,
            events=[entry.id for entry in entries],
            weight="rma-rate-wide" if far else "",
            detail={
                "quarter": f"{quarter[0]}-Q{quarter[1]}",
                "sent_back": number,
                "edge": edge,
                "expected_milli": mean.numerator * 1000 // mean.denominator,
            },
        ),
    )


def _exposure(look: Look, *, first: tuple[int, int]) -> dict[tuple[int, int], int]:
    """Return quarter → chips on the book times the milliseconds they were there."""
    changes = sorted(_changes(look))
    found: dict[tuple[int, int], int] = {}
    position, held, quarter = 0, 0, first
    last = quarter_of(look.at_ms)
    while quarter <= last:
        start, end = quarter_ms(quarter)
        time, total = start, 0
        while position < len(changes) and changes[position][0] < end:
            at, pieces = changes[position]
            total += max(0, held) * (max(at, start) - time)
            time, held = max(at, start), held + pieces
            position += 1
        found[quarter] = total + max(0, held) * (end - time)
        quarter = following_quarter(quarter)
    return found


def _changes(look: Look) -> Iterator[tuple[int, int]]:
    """Yield when how many chips came to the book, or left it."""
    for kinds, sign in ((_IN, 1), (_OUT, -1)):
        for kind in kinds:
            for entry in look.moves(kind):
                yield entry.event.occurred_at_ms, sign * sum(look.pieces(entry).values())
