"""Random histories of a ledger: chips that arrive, move, are sent back, sealed and destroyed."""

from hypothesis import strategies as st

from chipledger_book.admission import problems
from chipledger_book.events import (
    ByBoard,
    ByChip,
    ByCount,
    ByUnit,
    ChipRef,
    Event,
    Line,
    Received,
    Role,
    event_id,
)
from chipledger_book.ledger import fold
from chipledger_book.movements import (
    Confirmed,
    Destroyed,
    RmaIn,
    RmaOut,
    Shipped,
    Stored,
    TransferIn,
    TransferOut,
    Unstored,
    Witness,
)
from chipledger_testing.book import (
    H100,
    H200,
    NOW,
    PAPER,
    TABLES,
    declared,
    lpp,
    ms,
    record,
    site_of,
    uuid,
)

SITES = ("johor", "penang")
OTHER = {"johor": "penang", "penang": "johor"}
BEFORE: tuple[Event, ...] = (declared(), declared(site_of("penang")), lpp())
NUMBERS = st.integers(min_value=0, max_value=8)

lines = st.one_of(
    st.builds(ByCount, sku=st.sampled_from((H100, H200)), pieces=st.integers(1, 3)),
    st.builds(
        lambda numbers: ByChip(
            sku=H100, chips=tuple(ChipRef(pdi=f"{n:016x}", uuid=uuid(n)) for n in numbers)
        ),
        st.lists(NUMBERS, min_size=1, max_size=2, unique=True),
    ),
    st.builds(
        lambda numbers: ByBoard(sku=H100, serials=tuple(f"165{n:010d}" for n in numbers)),
        st.lists(NUMBERS, min_size=1, max_size=2, unique=True),
    ),
    st.builds(lambda number: ByUnit(model="HGX-H100-8", serials=(f"S{number}",)), NUMBERS),
)


STOCK: dict[str, tuple[Line, ...]] = {
    "johor": (
        ByCount(sku=H100, pieces=9),
        ByChip(sku=H100, chips=tuple(ChipRef(pdi=f"{n:016x}", uuid=uuid(n)) for n in range(3))),
        ByUnit(model="HGX-H100-8", serials=("S0", "S1")),
    ),
    "penang": (
        ByCount(sku=H100, pieces=7),
        ByCount(sku=H200, pieces=6),
        ByBoard(sku=H100, serials=tuple(f"165{n:010d}" for n in range(3, 6))),
    ),
}


@st.composite
def histories(draw_one: st.DrawFn) -> list[Event]:
    """Draw events that were admitted one after the other; what is refused is left out."""
    book = fold(map(record, BEFORE))
    events: list[Event] = [
        Received(occurred_at_ms=ms(2026, 2), site=site, lines=STOCK[site]) for site in SITES
    ]
    for event in events:
        book.add(record(event))
    for day in range(draw_one(st.integers(0, 8))):
        found = draw_one(later_events(events, ms(2026, 3) + day * 86_400_000))
        if not list(problems(found, book, TABLES, now_ms=NOW)):
            book.add(record(found))
            events.append(found)
    return events


def later_events(before: list[Event], at: int) -> st.SearchStrategy[Event]:
    """Return a strategy of events at a time: what leaves, arrives, or answers those before."""
    site = st.sampled_from(SITES)
    some = st.lists(lines, min_size=1, max_size=2).map(tuple)
    leaving = st.builds(_leaving, st.just(at), site, some, st.integers(0, 4))
    arriving = st.builds(Received, occurred_at_ms=st.just(at), site=site, lines=some)
    answers = [answer for event in before for answer in _answers(event, at)]
    if not answers:
        return leaving | leaving | arriving
    return leaving | st.sampled_from(answers) | st.sampled_from(answers) | arriving


def _leaving(at: int, site: str, some: tuple[Line, ...], kind: int) -> Event:
    if kind == 0:
        return TransferOut(occurred_at_ms=at, site=site, to_site=OTHER[site], lines=some)
    if kind == 1:
        return RmaOut(occurred_at_ms=at, site=site, lines=some, vendor="nvidia", case="C")
    if kind == 2:
        return Stored(occurred_at_ms=at, site=site, lines=some, place="cage", seal="S")
    if kind == 3:
        return Shipped(occurred_at_ms=at, site=site, lines=some, consignee="buyer", country="SG")
    witness = Witness(name="W", party="recycler")
    return Destroyed(occurred_at_ms=at, site=site, lines=some, witness=witness, documents=(PAPER,))


def _answers(event: Event, at: int) -> list[Event]:
    """Return what the other side may say of an event."""
    key = event_id(event)
    if isinstance(event, TransferOut):
        return [
            TransferIn(
                occurred_at_ms=at,
                site=event.to_site,
                from_site=event.site,
                lines=event.lines,
                answers=key,
            )
        ]
    if isinstance(event, RmaOut):
        return [
            Confirmed(occurred_at_ms=at, confirms=key, role=Role.VENDOR, party="nvidia"),
            RmaIn(
                occurred_at_ms=at,
                site=event.site,
                lines=event.lines,
                vendor="nvidia",
                case="C",
                answers=key,
            ),
        ]
    if isinstance(event, Stored):
        return [Unstored(occurred_at_ms=at, site=event.site, answers=key, seal_found="intact")]
    return []


def answers_to(before: list[Event], at: int) -> list[Event]:
    """Return what may follow events at a time: what leaves either site, and what answers it."""
    leaving = [
        _leaving(at, site, (line,), kind)
        for site in SITES
        for line in (STOCK[site][0], STOCK[site][-1])
        for kind in range(5)
    ]
    return [*leaving, *(answer for event in before for answer in _answers(event, at))]
