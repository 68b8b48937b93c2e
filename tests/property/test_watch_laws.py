"""Laws of what is watched, over random histories of events and sightings, admitted or not."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from chipledger_book.balance import Question, reconcile
from chipledger_book.events import (
    ByBoard,
    ByChip,
    ByCount,
    ByUnit,
    ChipRef,
    Correction,
    Event,
    LedgerRecord,
    Line,
    Received,
    Role,
    event_id,
)
from chipledger_book.ledger import fold
from chipledger_book.movements import (
    Confirmed,
    LostOrStolen,
    PhysicalInventory,
    RmaIn,
    RmaOut,
    ShipmentDeclared,
    Shipped,
    Stored,
    TransferIn,
    TransferOut,
    Unstored,
)
from chipledger_book.physical import Stay
from chipledger_book.timers import DAY_MS
from chipledger_book.watch import FactKind, Measure, watch_group, watch_site
from chipledger_book.watch.look import gauge_of
from chipledger_book.watch.standing import standings
from chipledger_book.watch.view import View
from chipledger_book.watch.words import in_words
from chipledger_testing.book import H100, H200, TABLES, ms, uuid
from chipledger_testing.watching import TWO_SITES, Staged, Story, stay

SITES = ("johor", "penang")
OTHER = {"johor": "penang", "penang": "johor"}
START = ms(2026)
NUMBERS = st.integers(min_value=0, max_value=9)
DAYS = st.integers(min_value=0, max_value=400)

lines = st.one_of(
    st.builds(ByCount, sku=st.sampled_from((H100, H200)), pieces=st.integers(1, 4)),
    st.builds(
        lambda numbers: ByChip(
            sku=H100, chips=tuple(ChipRef(pdi=f"{n:016x}", uuid=uuid(n)) for n in numbers)
        ),
        st.lists(NUMBERS, min_size=1, max_size=3, unique=True),
    ),
    st.builds(
        lambda numbers: ByBoard(sku=H100, serials=tuple(f"165{n:010d}" for n in numbers)),
        st.lists(NUMBERS, min_size=1, max_size=2, unique=True),
    ),
    st.builds(lambda number: ByUnit(model="HGX-H100-8", serials=(f"S{number}",)), NUMBERS),
)


def first(kind: int, site: str, day: int, line: Line) -> Event:
    """Return an event that answers none."""
    at = START + day * DAY_MS
    some = (line,)
    choices: tuple[Event, ...] = (
        Received(occurred_at_ms=at, site=site, lines=some),
        ShipmentDeclared(occurred_at_ms=at, site=site, lines=some, shipper="vendor-x"),
        Shipped(occurred_at_ms=at, site=site, lines=some, consignee="buyer", country="SG"),
        TransferOut(occurred_at_ms=at, site=site, to_site=OTHER[site], lines=some),
        RmaOut(occurred_at_ms=at, site=site, lines=some, vendor="nvidia", case="C-1"),
        Stored(occurred_at_ms=at, site=site, lines=some, place="cage", seal="S-1"),
        LostOrStolen(occurred_at_ms=at, site=site, lines=some, how="lost"),
        PhysicalInventory(occurred_at_ms=at, site=site, inspector="A", method="full"),
    )
    return choices[kind % len(choices)]


def second(event: Event, days: int, line: Line) -> Event:
    """Return what answers an event, or a correction of it."""
    at, key, some = event.occurred_at_ms + days * DAY_MS, event_id(event), (line,)
    if isinstance(event, ShipmentDeclared):
        return Received(occurred_at_ms=at, site=event.site, lines=some, answers=key)
    if isinstance(event, TransferOut):
        return TransferIn(
            occurred_at_ms=at, site=event.to_site, from_site=event.site, lines=some, answers=key
        )
    if isinstance(event, RmaOut) and days % 2:
        return Confirmed(occurred_at_ms=at, confirms=key, role=Role.VENDOR, party="nvidia")
    if isinstance(event, RmaOut):
        return RmaIn(
            occurred_at_ms=at,
            site=event.site,
            lines=some,
            vendor="nvidia",
            case="C-1",
            answers=key,
        )
    if isinstance(event, Stored):
        return Unstored(occurred_at_ms=at, site=event.site, answers=key, seal_found="intact")
    return Correction(occurred_at_ms=at, corrects=key, reason="wrong")


pairs = st.builds(
    lambda event, days, line, both: (event, second(event, days, line)) if both else (event,),
    st.builds(first, st.integers(0, 7), st.sampled_from(SITES), DAYS, lines),
    st.integers(0, 90),
    lines,
    st.booleans(),
)
histories = st.lists(pairs, max_size=9).map(
    lambda some: tuple({event_id(event): event for pair in some for event in pair}.values())
)
visits = st.lists(
    st.builds(
        lambda number, day, days, site, host: stay(
            number,
            START + day * DAY_MS,
            START + (day + days) * DAY_MS,
            site=site,
            host=f"{site}-{host}",
        ),
        NUMBERS,
        DAYS,
        st.integers(0, 300),
        st.sampled_from(SITES),
        st.integers(0, 2),
    ),
    max_size=12,
)
times = st.integers(0, 500).map(lambda day: START + day * DAY_MS)


def story(events: Sequence[Event], history: Sequence[Stay]) -> Story:
    """Return a story; every third chip falls silent instead of going."""
    silent = frozenset(f"chip-{number:05d}" for number in range(0, 10, 3))
    return Story(events=tuple(events), history=tuple(history), silent=silent)


@settings(max_examples=120)
@given(histories, visits, times, st.randoms(use_true_random=False))
def test_the_order_of_records_and_sightings_changes_nothing(
    events: tuple[Event, ...], history: list[Stay], at: int, chance: object
) -> None:
    """Whoever computes it, and however the facts came in, the answer is the same."""
    shuffled, mixed = list(events), list(history)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    one, other = story(events, history), story(shuffled, mixed)

    for site in SITES:
        assert one.at_site(at, site) == other.at_site(at, site)
    assert one.in_group(at) == other.in_group(at)


@settings(max_examples=150)
@given(histories, visits, times)
def test_no_two_facts_or_waits_of_a_kind_have_one_key(
    events: tuple[Event, ...], history: list[Stay], at: int
) -> None:
    """One fact is one finding; and every fact can be said in words."""
    told = story(events, history)
    for found in (*(told.at_site(at, site) for site in SITES), told.in_group(at)):
        facts = Counter((fact.kind, fact.key) for fact in found.facts)
        waits = Counter((wait.kind, wait.key) for wait in found.waits)
        assert max([*facts.values(), *waits.values()], default=1) == 1
        for fact in found.facts:
            assert in_words(fact.kind, fact.detail)
            assert fact.pieces >= 0
            assert fact.since_ms <= at


@settings(max_examples=150)
@given(histories, visits, times)
def test_every_hole_of_the_balance_is_one_finding_in_waiting(
    events: tuple[Event, ...], history: list[Stay], at: int
) -> None:
    """Never answered, gone, silent, at rest, or explained by a paper: together the balance's."""
    told = story(events, history)
    scene, measure = told.scene(at), told.measure(at)
    gauge = gauge_of(scene, measure, at)
    assert gauge is not None
    for site in SITES:
        view = View(site=site, scene=scene, measure=measure, gauge=gauge)
        rows = {row.sku: row for row in measure.reports[site].rows}
        for sku, standing in standings(view).items():
            explained = sum(
                chips for things in standing.explained.values() for chips in things.values()
            )
            open_now = sum(standing.never.values()) + len(standing.absences)
            found = open_now + standing.resting + explained
            row = rows.get(sku)
            assert found == (0 if row is None else row.unaccounted + row.silent)


@settings(max_examples=60)
@given(histories, visits, times, st.integers(1, 60))
def test_downtime_of_the_collector_never_makes_anything_late_sooner(
    events: tuple[Event, ...], history: list[Stay], at: int, days: int
) -> None:
    """Every wait is due when it was, or later."""
    told = story(events, history)
    down = replace(told, downtime=((START, START + days * DAY_MS),))
    for site in SITES:
        before = {(wait.kind, wait.key): wait.due_ms for wait in told.at_site(at, site).waits}
        after = {(wait.kind, wait.key): wait.due_ms for wait in down.at_site(at, site).waits}
        assert before.keys() == after.keys()
        assert all(after[name] >= due for name, due in before.items())


@settings(max_examples=60)
@given(histories, visits, times)
def test_what_is_known_later_is_left_out(
    events: tuple[Event, ...], history: list[Stay], at: int
) -> None:
    """Events and sightings after the time that is asked for change nothing."""
    told = story(events, history)
    until = story(
        [event for event in events if _before(event, events, at)],
        [one for one in history if one.from_ms <= at],
    )
    for site in SITES:
        kinds = {FactKind.LATE_EVENT}  # speaks of when an event was entered
        one, other = told.at_site(at, site), until.at_site(at, site)
        assert [fact for fact in one.facts if fact.kind not in kinds] == [
            fact for fact in other.facts if fact.kind not in kinds
        ]


def _before(event: Event, events: Sequence[Event], at: int) -> bool:
    """Tell whether an event has to be known; corrections hold for every time."""
    del events
    return isinstance(event, Correction) or event.occurred_at_ms <= at


def test_an_undeclared_site_is_watched_like_any_other() -> None:
    """What is there has no owner, and is still said."""
    arrived = Received(occurred_at_ms=START, site="nowhere", lines=(ByCount(sku=H100, pieces=2),))
    record = LedgerRecord(event=arrived, recorded_at_ms=START)
    scene = Staged(book=fold([record]), at_ms=START + 100 * DAY_MS)

    found = watch_site("nowhere", scene, Measure(tables=TABLES), scene.at_ms)

    assert [(fact.kind, fact.owner.party) for fact in found.facts] == [
        (FactKind.NEVER_ATTESTED, "")
    ]
    assert watch_group("nobody", scene, Measure(tables=TABLES), scene.at_ms).facts == ()


def test_without_timers_nothing_is_watched() -> None:
    """A deployment decides by its tables."""
    measure = Measure(tables=replace(TABLES, timers=None))
    scene = story((), ()).scene(START)

    assert watch_site("johor", scene, measure, START).waits == ()
    report = reconcile(scene.book, (), TABLES, Question(as_of_ms=START), site="johor")
    assert report.site == "johor"
    assert len(TWO_SITES) == 3
