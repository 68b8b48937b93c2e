"""What the collector records by itself: chips that come to a site, and move inside it."""

from collections.abc import Sequence

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import delete

from chipledger_book.events import LedgerRecord, event_id
from chipledger_book.ledger import fold
from chipledger_book.movements import Attested, Installed, Moved
from chipledger_book.statements import Role, Strength
from chipledger_book.whereabouts import whereabouts
from chipledger_evidence.inventory import Chip, Status
from chipledger_evidence.nonce import Kind
from chipledger_server.adapters import schema
from chipledger_server.adapters.database import for_writing
from chipledger_server.adapters.reads import SqlReads
from chipledger_server.usecases.book.reconcile import settle_site
from chipledger_server.usecases.physical import Patience, Standing
from chipledger_server.usecases.reading import When
from chipledger_testing.collector_inside import HOUR_MS, CollectorInside
from chipledger_testing.gpu_pki import GpuMaker
from chipledger_testing.hosts import SimulatedHost, chip_of, inventory_of
from chipledger_testing.rounds import answer, host_of

MINUTE_MS = 60_000
SITES = ("ams-1", "kul-1")
MOST_STATEMENTS = 4


def records(inside: CollectorInside) -> list[LedgerRecord]:
    """Return what the collector recorded by itself, in the order of the log."""
    rows = inside.rows(
        "SELECT record FROM records WHERE type = 'event' AND principal = 'collector' ORDER BY pos"
    )
    return [msgspec.json.decode(record, type=LedgerRecord) for (record,) in rows]


def said(inside: CollectorInside) -> list[Attested]:
    """Return the events of these records."""
    events = [record.event for record in records(inside)]
    return [event for event in events if isinstance(event, Installed | Moved)]


def words(inside: CollectorInside, *hosts: SimulatedHost) -> list[str]:
    """Return the events in short, hosts by their seed: ``a+2`` installed, ``a>b 1`` moved."""
    names = {host.host: host.seed for host in hosts}
    return [
        f"{names[event.from_host]}>{names[event.host]} {len(event.chips)}"
        if isinstance(event, Moved)
        else f"{names[event.host]}+{len(event.chips)}"
        for event in said(inside)
    ]


def shows(inside: CollectorInside, host: SimulatedHost, *chips: Chip) -> None:
    """Let a host report that it holds these chips, a minute later."""
    inside.pass_time(MINUTE_MS)
    host.inventory = inventory_of(*chips)
    inside.report(inside.full(host))


def test_the_first_report_installs_all_its_chips_at_once(inside: CollectorInside) -> None:
    """One event, with names, model, slot and grade, on the collector's own word."""
    host = inside.enrol("a", chips=8)
    token = inside.full(host)
    inside.report(token)
    (record,) = records(inside)
    event = record.event
    assert isinstance(event, Installed)
    assert (event.site, event.host, event.token) == ("ams-1", host.host, token.identity)
    assert (event.occurred_at_ms, record.recorded_at_ms) == (inside.clock.ms, inside.clock.ms)
    assert [(chip.pdi, chip.uuid, chip.serial, chip.slot) for chip in event.chips] == [
        (chip.pdi, chip.uuid, chip.serial, chip.pci.bdf)
        for chip in host.inventory.chips
        if chip.pci
    ]
    assert {(chip.sku, str(chip.grade)) for chip in event.chips} == {("H100-SXM5-80GB", "G1")}
    (statement,) = record.statements
    assert (statement.role, statement.strength) == (Role.COLLECTOR, Strength.ATTESTED)
    assert (statement.principal, statement.evidence) == ("collector", token.identity)
    assert inside.rows("SELECT id, type, site, host FROM attested_events") == [
        (event_id(event), "installed", "ams-1", host.host)
    ]


def test_a_host_from_before_places_were_kept_is_recorded_once(inside: CollectorInside) -> None:
    """An upgraded collector says where the chips are at the next full report, and once."""
    host = inside.enrol("a", chips=4)
    inside.report(inside.full(host))
    with for_writing(inside.engine).begin() as connection:
        connection.execute(delete(schema.places))
    inside.restart()
    inside.pass_time(HOUR_MS)
    inside.report(inside.heartbeat(host))
    assert words(inside, host) == ["a+4"]
    inside.report(inside.full(host))
    assert words(inside, host) == ["a+4", "a+4"]
    assert said(inside)[-1].occurred_at_ms == inside.clock.ms
    inside.report(inside.full(host), inside.heartbeat(host))
    assert len(said(inside)) == 2


def test_what_stays_is_said_once(inside: CollectorInside) -> None:
    """Heartbeats, full reports, silence and a return say nothing new."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    for hours in (1, 1, 30):
        inside.pass_time(hours * HOUR_MS)
        inside.report(inside.heartbeat(host), inside.full(host))
    inside.restart()
    host.inventory = replace(host.inventory, hardware="another name")
    inside.report(inside.full(host))
    assert words(inside, host) == ["a+2"]


def test_a_chip_on_another_host_of_the_site_has_moved(inside: CollectorInside) -> None:
    """Whether the old host has said so before, after or never; and back again."""
    a, b = inside.enrol("a", chips=4), inside.enrol("b", chips=1)
    one, two, three, four = a.inventory.chips
    own = b.inventory.chips
    inside.report(inside.full(a), inside.full(b))
    shows(inside, a, one, two, three)
    shows(inside, b, *own, four)
    shows(inside, b, *own, four, three)
    shows(inside, a, one, two)
    shows(inside, b, *own, four)
    shows(inside, a, one, two, three)
    assert words(inside, a, b) == ["a+4", "b+1", "a>b 1", "a>b 1", "b>a 1"]
    assert inside.findings() == []


def test_a_chip_at_another_site_is_installed_there(inside: CollectorInside) -> None:
    """Each time it comes to a site it has come to that site."""
    a, b = inside.enrol("a", chips=2), inside.enrol("b", site="kul-1", chips=1)
    stays, goes = a.inventory.chips
    own = b.inventory.chips
    inside.report(inside.full(a), inside.full(b))
    shows(inside, a, stays)
    shows(inside, b, *own, goes)
    shows(inside, b, *own)
    shows(inside, a, stays, goes)
    assert words(inside, a, b) == ["a+2", "b+1", "b+1", "a+1"]
    assert [event.site for event in said(inside)] == ["ams-1", "kul-1", "kul-1", "ams-1"]


def test_a_chip_that_was_in_no_host_for_long_is_installed_again(inside: CollectorInside) -> None:
    """For longer than a host may be silent; the collector's own downtime does not count."""
    host = inside.enrol("a", chips=2)
    both = host.inventory.chips
    inside.report(inside.full(host))

    def away(hours: int) -> None:
        shows(inside, host, both[0])
        for _ in range(hours):
            inside.pass_time(HOUR_MS)
            inside.report(inside.heartbeat(host))
        shows(inside, host, *both)

    away(2)
    assert words(inside, host) == ["a+2"]
    away(4)
    assert words(inside, host) == ["a+2", "a+1"]
    shows(inside, host, both[0])
    inside.clock.ms += 24 * HOUR_MS
    inside.restart()
    inside.step()
    shows(inside, host, *both)
    assert words(inside, host) == ["a+2", "a+1"]


def test_what_two_hosts_claim_is_where_it_counts(inside: CollectorInside) -> None:
    """The place goes to the newcomer, and back when the dispute is decided."""
    a, b = inside.enrol("a", chips=1), inside.enrol("b", chips=1)
    inside.report(inside.full(a))
    shows(inside, b, *a.inventory.chips)
    inside.pass_time(MINUTE_MS)
    inside.report(inside.heartbeat(a))
    assert inside.findings() == ["duplicate-identity"]
    for _ in range(3):
        inside.pass_time(MINUTE_MS)
        inside.report(inside.heartbeat(b), inside.heartbeat(a))
    assert words(inside, a, b) == ["a+1", "a>b 1", "b>a 1"]


def test_a_signature_brings_a_chip_to_where_it_signed(inside: CollectorInside) -> None:
    """The result is the cause then, and its round's token the evidence."""
    makers = (GpuMaker(1),)
    b = inside.admit(host_of("b", makers))
    a = inside.enrol("a")
    a.inventory = b.inventory
    inside.report(inside.full(a))
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(b))
    inside.pass_time(MINUTE_MS)
    inside.report(inside.heartbeat(a))
    inside.pass_time(MINUTE_MS)
    b.now_s = inside.clock.ms // 1000
    made = answer(b, inside.nonce(b, Kind.EVIDENCE), makers)
    inside.report(made.token, blobs=made.blobs)
    inside.judge()
    assert words(inside, a, b) == ["a+1", "a>b 1", "b>a 1", "a>b 1"]
    assert said(inside)[-1].token == made.token.identity


def test_what_is_late_doubtful_or_refused_installs_nothing(inside: CollectorInside) -> None:
    """Only a fresh line that every view confirms does."""
    host = inside.enrol("a", chips=2)
    good = host.inventory
    host.inventory = replace(good, pci=good.pci[:1])
    inside.report(inside.full(host))
    assert words(inside, host) == ["a+1"]
    late = inside.enrol("late")
    kept_back = inside.full(late)
    inside.pass_time(2 * HOUR_MS)
    inside.report(kept_back)
    assert words(inside, host) == ["a+1"]
    inside.report(inside.heartbeat(late))
    assert words(inside, host, late) == ["a+1", "late+2"]
    host.inventory = replace(good, status=Status.SCAN_FAILED, chips=(), device_count=None)
    inside.report(inside.full(host))
    host.inventory = good
    inside.report(inside.full(host))
    assert words(inside, host, late) == ["a+1", "late+2", "a+1"]


def test_names_that_the_ledger_cannot_hold_are_left_out(inside: CollectorInside) -> None:
    """A host may say anything; the event stays one that everybody can read."""
    host = inside.enrol("a", chips=1)
    (chip,) = host.inventory.chips
    host.inventory = inventory_of(replace(chip, pdi="00AA not hex", serial="=1+1", name="?"))
    inside.report(inside.full(host))
    ((one,),) = [event.chips for event in said(inside)]
    assert (one.pdi, one.uuid, one.serial) == (None, chip.uuid, None)


def test_a_replay_gives_the_same_places_and_no_event_twice(inside: CollectorInside) -> None:
    """The log has them already."""
    a, b = inside.enrol("a", chips=2), inside.enrol("b", site="kul-1", chips=1)
    one, two = a.inventory.chips
    inside.report(inside.full(a), inside.full(b))
    shows(inside, b, *b.inventory.chips, two)
    shows(inside, a, one)
    before, events = inside.derived(), records(inside)
    inside.replay()
    assert (inside.derived(), records(inside)) == (before, events)


def test_an_event_follows_its_report_in_the_log(inside: CollectorInside) -> None:
    """It is an entry of its own, with an index at once."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    runs = inside.rows("SELECT source, count FROM log_runs ORDER BY first")
    assert runs[-2:] == [("token", 1), ("record", 1)]


def test_a_plain_report_asks_nothing_about_places(inside: CollectorInside) -> None:
    """Neither a heartbeat nor a full report of what was there before."""
    host = inside.enrol("a", chips=8)
    inside.report(inside.full(host))
    asked: list[str] = []
    inside.connection.set_trace_callback(asked.append)
    inside.report(inside.heartbeat(host), inside.full(host), inside.heartbeat(host))
    inside.connection.set_trace_callback(None)
    assert asked
    assert not [one for one in asked if "places" in one or "attested_events" in one]


def test_many_chips_cost_few_statements(inside: CollectorInside) -> None:
    """As many for eight as for one: one event, one insert of all places."""
    counts = []
    for chips in (1, 8):
        host = inside.enrol(f"h{chips}", chips=chips)
        token = inside.full(host)
        asked: list[str] = []
        inside.take(token)
        inside.connection.set_trace_callback(asked.append)
        inside.step()
        inside.connection.set_trace_callback(None)
        counts.append(sum("places" in one or "attested_events" in one for one in asked))
    assert counts[0] == counts[1] <= MOST_STATEMENTS


def test_many_hosts_with_the_same_chips_are_each_read_once(inside: CollectorInside) -> None:
    """However many chips they contend for: one look at each inventory, not one a chip and pair."""
    hosts = [inside.enrol(f"h{number}", chips=8) for number in range(20)]
    for host in hosts:
        host.inventory = hosts[0].inventory
        inside.report(inside.full(host))
        inside.pass_time(1)
    asked: list[str] = []
    inside.connection.set_trace_callback(asked.append)
    inside.report(inside.heartbeat(hosts[0]))
    inside.connection.set_trace_callback(None)
    assert inside.rows("SELECT count(*) FROM disputes") == [(8 * 19,)]
    assert sum("FROM inventory_chips WHERE inventory" in one for one in asked) <= len(hosts)


def counted(inside: CollectorInside) -> dict[str, tuple[str, str]]:
    """Return site and host of every chip that counts somewhere, by UUID."""
    when = When(as_of_ms=inside.clock.ms, known_at_ms=inside.clock.ms)
    patience = Patience(limit_ms=inside.config.policy.silence_limit_ms)
    found: dict[str, tuple[str, str]] = {}
    with SqlReads(inside.engine).snapshot() as snapshot:
        for site in SITES:
            for one in settle_site(snapshot, site, when, patience):
                if one.standing in (Standing.PRESENT, Standing.SILENT):
                    assert one.claim.uuid is not None
                    assert one.claim.uuid not in found
                    found[one.claim.uuid] = (site, one.claim.host)
    return found


STEPS = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["full", "beat", "late"]),
        st.sets(st.integers(0, 3)),
        st.integers(0, 300),
    ),
    max_size=25,
)


def tell(inside: CollectorInside, steps: Sequence[tuple[int, str, set[int], int]]) -> None:
    """Let four hosts at two sites report chips of one pool, as the steps say."""
    ((example,),) = inside.rows("SELECT count(*) FROM hosts")
    hosts = [inside.enrol(f"{example}-{name}", site=SITES[name % 2], chips=1) for name in range(4)]
    pool = [chip_of(f"pool-{example}", index) for index in range(4)]
    for which, how, chips, minutes in steps:
        host = hosts[which]
        if how != "beat" or host.seq == 0:
            host.inventory = inventory_of(*(pool[index] for index in sorted(chips)))
        token = inside.heartbeat(host) if how == "beat" and host.seq else inside.full(host)
        if how == "late":
            inside.pass_time(2 * HOUR_MS)
        inside.pass_time(minutes * MINUTE_MS)
        inside.report(token)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_the_events_alone_tell_where_every_chip_is(
    inside: CollectorInside, steps: list[tuple[int, str, set[int], int]]
) -> None:
    """From any reports: replayed in time they give the host of each chip that counts somewhere."""
    tell(inside, steps)
    places = whereabouts(fold(records(inside)), SITES, inside.clock.ms)
    for uuid, where in counted(inside).items():
        assert (places["uuid", uuid].site, places["uuid", uuid].host) == where
    kept = inside.rows(
        "SELECT value, site, host FROM places JOIN chip_aliases USING (chip) WHERE kind = 'uuid'"
    )
    assert {uuid: (site, host) for uuid, site, host in kept} == {
        name: (place.site, place.host) for (kind, name), place in places.items() if kind == "uuid"
    }
