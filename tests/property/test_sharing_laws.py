"""What is kept from one question to the next answers as what is computed anew."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from chipledger_book.balance import reconcile
from chipledger_book.errors import BookError
from chipledger_book.events import ByCount, Correction, Event, Received, event_id
from chipledger_book.holding import Question
from chipledger_book.ledger import fold
from chipledger_book.report import SiteReport
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.usecases.book.entry import Speaker, enter
from chipledger_server.usecases.book.reconcile import Balances, Measure, balance_of
from chipledger_server.usecases.physical import seen_chips
from chipledger_server.usecases.reading import When
from chipledger_testing.book import (
    H100,
    TABLES,
    declared,
    licence,
    lpp,
    ms,
    party,
    pieces,
    site_of,
)
from chipledger_testing.histories import STOCK, answers_to
from chipledger_testing.hosts import chip_of
from chipledger_testing.scene import HOUR, Scene, StagedHost

START = ms(2026, 4)
SITES = ("johor", "penang", "dubai")
ELSEWHERE = party("other", "AE")
NEW_OWNER = party("newco", "SG")
CHIPS = [chip_of(host, index) for host in "ab" for index in range(4)]

Step = Callable[[Scene, list[StagedHost], list[Event]], None]


@contextmanager
def scenes() -> Iterator[tuple[Scene, list[StagedHost], list[Event]]]:
    """Open a database of two sites of one owner and one of another, with two hosts each."""
    with TemporaryDirectory() as name:
        scene = Scene(folder=Path(name), now_ms=START)
        events: list[Event] = [declared(), declared(site_of("penang")), lpp()]
        events += [declared(site_of("dubai", country="AE", owner=ELSEWHERE))]
        events += [licence("D-1", pieces(30)), licence("D-2", pieces(6), consignee="other")]
        for site in SITES:
            lines = STOCK.get(site, (ByCount(sku=H100, pieces=5),))
            events.append(Received(occurred_at_ms=ms(2026, 2), site=site, lines=lines))
        scene.enter(*events)
        hosts = [scene.host(site, f"{site}-{n}", at=START) for site in SITES for n in range(2)]
        yield scene, hosts, events
        scene.close()


def _enter(scene: Scene, event: Event, events: list[Event]) -> None:
    role = getattr(event, "role", None)
    speaker = Speaker() if role is None else Speaker(role=role, party="somebody")
    try:
        enter(event, SqlLedger(scene.engine), TABLES, scene.hand(), speaker=speaker)
    except BookError:
        return
    if isinstance(event, Correction):
        scene.agree(event)
    events.append(event)


@st.composite
def steps(draw: st.DrawFn) -> Step:
    """Draw something that happens: an event, a report, a heartbeat, a dispute."""
    kind = draw(st.sampled_from(("event", "event", "sight", "sight", "beat", "dispute", "again")))
    data = draw(st.randoms(use_true_random=False))
    if kind == "event":
        return lambda scene, _, events: _some_event(scene, events, data.choice)
    if kind == "again":
        return lambda scene, _, events: _redeclare(scene, events, data.choice)

    def sight(scene: Scene, hosts: list[StagedHost], _: list[Event]) -> None:
        host = data.choice(hosts)
        if kind == "beat":
            scene.beats(host, scene.now_ms)
        elif kind == "sight":
            scene.stops(host, scene.now_ms - 1)
            shown = data.sample(CHIPS, data.randint(1, len(CHIPS)))
            scene.seen(host, *shown, since=scene.now_ms)
        else:
            loser, keeper = data.sample(hosts, 2)
            for one in (loser, keeper):
                scene.stops(one, scene.now_ms - 1)
                scene.seen(one, CHIPS[0], since=scene.now_ms)
            scene.dispute(CHIPS[0], loser=loser, keeper=keeper, since=scene.now_ms)

    return sight


def _some_event(scene: Scene, events: list[Event], choice: Callable[[list[Event]], Event]) -> None:
    late = scene.now_ms - 20 * HOUR
    some: list[Event] = [
        Received(
            occurred_at_ms=late, site=site, lines=STOCK["johor"][:1], shipment=str(scene.now_ms)
        )
        for site in SITES
    ]
    some += [
        Correction(occurred_at_ms=late, corrects=event_id(one), reason="typing error")
        for one in events[3:]
    ]
    _enter(scene, choice([*some, *answers_to(events, late)]), events)


def _redeclare(scene: Scene, events: list[Event], choice: Callable[[list[str]], str]) -> None:
    site = site_of(choice(list(SITES)), country="MY", owner=NEW_OWNER)
    _enter(scene, declared(site, at=scene.now_ms), events)


@settings(max_examples=15, deadline=None)
@given(st.lists(steps(), min_size=1, max_size=8))
def test_what_is_kept_equals_what_is_computed_anew(drawn: list[Step]) -> None:
    """After every step, for every site: kept, read anew, and folded from the whole ledger."""
    with scenes() as (scene, hosts, events):
        kept = scene.measure
        for step in drawn:
            scene.now_ms += HOUR
            step(scene, hosts, events)
            for site in SITES:
                assert report(scene, kept, site) == report(scene, scene.measure, site)
                assert report(scene, kept, site) == recomputed(scene, site)


def report(scene: Scene, measure: Measure, site: str) -> SiteReport:
    """Return the report of a site now."""
    now = When(as_of_ms=scene.now_ms, known_at_ms=scene.now_ms)
    with scene.reads.snapshot() as snapshot:
        return balance_of(snapshot, site, now, measure).report


def recomputed(scene: Scene, site: str) -> SiteReport:
    """Return the same by the book alone, from the whole ledger and all sightings."""
    now, measure = When(as_of_ms=scene.now_ms, known_at_ms=scene.now_ms), scene.measure
    with scene.reads.snapshot() as snapshot:
        book = fold(snapshot.all_records(now))
        balances = Balances(snapshot, book, now, measure)
        return reconcile(
            book,
            [chip for name in SITES for chip in seen_chips(balances.settled(name))],
            measure.tables,
            Question(as_of_ms=scene.now_ms, known_at_ms=scene.now_ms),
            site=site,
            stays=[
                stay
                for name in SITES
                for stay in snapshot.stays(now, site=name, rule=measure.stay_rule)
            ],
        )
