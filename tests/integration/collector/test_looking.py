"""Looking around: late papers and missing chips become findings, and waits of somebody."""

from datetime import date

import pytest
from msgspec import structs

from chipledger_book.events import ByCount, Correction, Event, event_id
from chipledger_book.movements import ShipmentDeclared
from chipledger_book.watch import WaitKind, Watched
from chipledger_evidence.appraisal.policy import shipped_policy
from chipledger_server.adapters.ledger import SqlLedger
from chipledger_server.adapters.reads import SqlReads
from chipledger_server.usecases.book.entry import Entered, enter
from chipledger_server.usecases.book.lookout import Looked, Lookout
from chipledger_server.usecases.book.reconcile import Measure
from chipledger_server.usecases.book.standing import agree
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.reading import WaitsAsked, WaitState, When
from chipledger_testing.book import H100, TABLES, declared, licence, pieces, received, site_of
from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.scene import SILENCE_MS, CountedEntropy

DAY = 86_400_000
SITE = "johor"


def write(inside: CollectorInside, *events: Event) -> list[Entered]:
    """Enter events now."""
    hand = Hand(principal="test", now_ms=inside.clock.ms, entropy=CountedEntropy(str(events)))
    ledger = SqlLedger(inside.engine)
    return [enter(event, ledger, TABLES, hand) for event in events]


def shipment(inside: CollectorInside, pieces: int = 8) -> ShipmentDeclared:
    """Return a shipment that leaves now."""
    return ShipmentDeclared(
        occurred_at_ms=inside.clock.ms,
        site=SITE,
        lines=(ByCount(sku=H100, pieces=pieces),),
        shipper="maker",
    )


def look(inside: CollectorInside) -> None:
    """Look around now, and keep what is found."""
    measure = Measure(tables=TABLES, silence_limit_ms=SILENCE_MS, appraisal=shipped_policy())
    now = When(as_of_ms=inside.clock.ms, known_at_ms=inside.clock.ms)
    with SqlReads(inside.engine).snapshot() as snapshot:
        scopes = snapshot.looked_scopes()
        found = list(Lookout(snapshot, now, measure).around(scopes, refuse))
    for one in found:
        inside.sequencer.looked(one)


def refuse(scope: str, error: Exception) -> None:
    """Let no scope be skipped."""
    raise AssertionError(scope) from error


@pytest.fixture
def shipped(inside: CollectorInside) -> None:
    """A shipment that is on its way."""
    sent = shipment(inside)
    allowed = licence("D-1", pieces(100), days=(date(2025, 1, 1), date(2030, 1, 1)))
    write(inside, declared(site_of(SITE), at=inside.clock.ms - DAY), allowed, sent)


@pytest.mark.usefixtures("shipped")
def test_a_shipment_that_does_not_arrive_is_found_when_its_time_is_over(
    inside: CollectorInside,
) -> None:
    """Thirty days; not a look before, once for all looks after, and never again once it is here."""
    inside.clock.ms += 30 * DAY
    look(inside)
    before = inside.findings()
    inside.clock.ms += 1
    look(inside)
    look(inside)

    assert (before, inside.findings()) == ([], ["in-transit-late"])
    assert inside.rows("SELECT count(*) FROM records WHERE type = 'finding'") == [(1,)]

    [(event,)] = inside.rows("SELECT id FROM ledger_events WHERE type = 'shipment-declared'")
    arrived = received(8, site=SITE, at=inside.clock.ms)
    write(inside, structs.replace(arrived, answers=event, shipper="maker"))
    look(inside)
    assert inside.findings() == []
    assert inside.findings("resolved") == ["in-transit-late"]


@pytest.mark.usefixtures("shipped")
def test_a_fact_that_returns_continues_its_finding(
    inside: CollectorInside,
) -> None:
    """Same fact, same finding: its history is one."""
    inside.clock.ms += 31 * DAY
    look(inside)
    [(first,)] = inside.rows("SELECT id FROM findings")
    nothing = Watched(waits=(), facts=(), tables=())
    inside.sequencer.looked(Looked(scope=f"site:{SITE}", watched=nothing, at_ms=inside.clock.ms))
    assert inside.findings() == []
    look(inside)

    assert inside.rows("SELECT id, state FROM findings") == [(first, "open")]


@pytest.mark.usefixtures("shipped")
def test_who_is_late_is_listed_with_who_must_act(
    inside: CollectorInside,
) -> None:
    """In time, then overdue; ended once corrected."""
    look(inside)
    asked = WaitsAsked(scope=None, now_ms=inside.clock.ms, state=WaitState.RUNNING)
    with SqlReads(inside.engine).snapshot() as snapshot:
        found = snapshot.waits(asked, after=(-1, "", ""), limit=10)
        [wait] = [one for one in found if one.kind is WaitKind.RECEIPT]
        assert snapshot.count_overdue(asked) == 0
        assert snapshot.looked_ms() == inside.clock.ms
    assert (wait.site, wait.pieces) == (SITE, 8)
    assert wait.due_ms == inside.clock.ms + 30 * DAY

    inside.clock.ms = wait.due_ms + 1
    late = WaitsAsked(scope=frozenset({SITE}), now_ms=inside.clock.ms, state=WaitState.OVERDUE)
    other = WaitsAsked(scope=frozenset({"kul-1"}), now_ms=inside.clock.ms)
    with SqlReads(inside.engine).snapshot() as snapshot:
        assert snapshot.waits(late, after=(-1, "", ""), limit=10) == [wait]
        assert snapshot.waits(other, after=(-1, "", ""), limit=10) == []
        assert snapshot.count_overdue(late) == 1


@pytest.mark.usefixtures("shipped")
def test_time_in_which_the_collector_was_away_is_nobodys_fault(
    inside: CollectorInside,
) -> None:
    """Its downtime is added to the limit."""
    inside.connection.execute(
        "INSERT INTO downtime (from_ms, to_ms) VALUES (?, ?)",
        (inside.clock.ms + DAY, inside.clock.ms + 3 * DAY),
    )
    inside.clock.ms += 32 * DAY
    look(inside)
    assert inside.findings() == []

    inside.clock.ms += 1
    look(inside)
    assert inside.findings() == ["in-transit-late"]


def test_a_scope_that_is_no_more_leaves_no_finding_behind(inside: CollectorInside) -> None:
    """A site whose only declaration and events are corrected holds nothing."""
    sent = shipment(inside)
    entered = write(inside, declared(site_of(SITE), at=inside.clock.ms - DAY), sent)
    inside.clock.ms += 31 * DAY
    look(inside)
    assert inside.findings() == ["in-transit-late"]

    for one in reversed(entered):
        wrong = Correction(occurred_at_ms=inside.clock.ms, corrects=one.id, reason="never was")
        write(inside, wrong)
        hand = Hand(principal="second:1", now_ms=inside.clock.ms, entropy=CountedEntropy(one.id))
        agree(event_id(wrong), SqlLedger(inside.engine), hand, carrier=None)
    look(inside)
    assert inside.findings() == []
    assert inside.rows("SELECT count(*) FROM waits") == [(0,)]


@pytest.mark.usefixtures("shipped")
def test_replaying_the_log_gives_the_same_findings(
    inside: CollectorInside,
) -> None:
    """Opened, grown, resolved and open again: all of it stands in the log."""
    inside.clock.ms += 31 * DAY
    look(inside)
    write(inside, shipment(inside, pieces=16))
    inside.clock.ms += 31 * DAY
    look(inside)
    nothing = Watched(waits=(), facts=(), tables=())
    inside.sequencer.looked(Looked(scope=f"site:{SITE}", watched=nothing, at_ms=inside.clock.ms))
    inside.clock.ms += DAY
    look(inside)
    before = inside.derived(), inside.rows("SELECT * FROM facts ORDER BY 1, 2, 3")
    inside.replay()

    assert (inside.derived(), inside.rows("SELECT * FROM facts ORDER BY 1, 2, 3")) == before


def test_a_fact_of_which_only_the_look_can_say_since_when_is_written_down_once(
    inside: CollectorInside,
) -> None:
    """What exceeds an authorisation began when it was first found; another look says no more."""
    write(
        inside,
        declared(site_of(SITE), at=inside.clock.ms - DAY),
        received(8, site=SITE, at=inside.clock.ms),
    )
    look(inside)
    [(first,)] = inside.rows("SELECT detail FROM findings")
    inside.clock.ms += DAY
    look(inside)

    assert inside.findings() == ["not-authorised"]
    assert inside.rows("SELECT detail, times FROM findings") == [(first, 1)]
    assert inside.rows("SELECT count(*) FROM records WHERE type = 'finding'") == [(1,)]
