"""The history of chips, as readers get it from what real reports left behind."""

from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chipledger_book.physical import Stay
from chipledger_evidence.inventory import Chip
from chipledger_evidence.nonce import Kind
from chipledger_server.adapters.reads import SqlReads
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.stays import StayRule
from chipledger_testing.book import TABLES
from chipledger_testing.collector_inside import HOUR_MS, CollectorInside
from chipledger_testing.gpu_pki import GpuMaker
from chipledger_testing.hosts import SimulatedHost, chip_of, inventory_of
from chipledger_testing.rounds import answer, host_of

MINUTE_MS = 60_000
SKU = "H100-SXM5-80GB"


def rule(inside: CollectorInside) -> StayRule:
    """Return the collector's own policy, with the shipped catalogue."""
    limit_ms = inside.config.policy.silence_limit_ms
    return StayRule(silence_limit_ms=limit_ms, catalogue=TABLES.catalogue)


def history(
    inside: CollectorInside, site: str = "ams-1", *, at_ms: int | None = None
) -> Sequence[Stay]:
    """Return the stays at a site as of a time."""
    at = inside.clock.ms if at_ms is None else at_ms
    when = When(as_of_ms=at, known_at_ms=inside.clock.ms)
    with SqlReads(inside.engine).snapshot() as snapshot:
        return snapshot.stays(when, site=site, rule=rule(inside))


def named(inside: CollectorInside, *names: str) -> Sequence[Stay]:
    """Return the stays anywhere of chips with these names."""
    when = When(as_of_ms=inside.clock.ms, known_at_ms=inside.clock.ms)
    with SqlReads(inside.engine).snapshot() as snapshot:
        return snapshot.stays_of(when, names, rule=rule(inside))


def spans(stays: Sequence[Stay], start_ms: int) -> list[tuple[str, int, int]]:
    """Return host, first and last minute of stays, counted from a time."""
    return [
        (one.host, (one.from_ms - start_ms) // MINUTE_MS, (one.until_ms - start_ms) // MINUTE_MS)
        for one in stays
    ]


def shows(host: SimulatedHost, *chips: Chip) -> None:
    """Let a host hold these chips from now on."""
    host.inventory = inventory_of(*chips)


def test_a_day_of_reports_is_one_stay_a_chip(inside: CollectorInside) -> None:
    """However often the rest of the inventory changes in between."""
    start = inside.clock.ms
    host = inside.enrol("a", chips=3)
    chips = host.inventory.chips
    inside.report(inside.full(host))
    for hour in range(24):
        inside.pass_time(HOUR_MS)
        shows(host, *(chips if hour % 2 else chips[:2]))
        inside.report(inside.full(host))
    first, second, third = history(inside)
    assert spans([first, second, third], start) == [(host.host, 0, 24 * 60)] * 3
    assert (first.pdi, first.uuid, first.board, first.sku, str(first.grade)) == (
        chips[0].pdi,
        chips[0].uuid,
        chips[0].serial,
        SKU,
        "G1",
    )


def test_a_silence_that_the_policy_allows_does_not_end_a_stay(inside: CollectorInside) -> None:
    """A longer one does, and the collector's own downtime is not silence."""
    start = inside.clock.ms
    host = inside.enrol("a", chips=1)
    inside.report(inside.full(host))
    inside.pass_time(3 * HOUR_MS)
    inside.report(inside.heartbeat(host))
    inside.clock.ms += 20 * HOUR_MS
    inside.restart()
    inside.step()
    inside.report(inside.heartbeat(host))
    assert spans(history(inside), start) == [(host.host, 0, 23 * 60)]
    inside.pass_time(3 * HOUR_MS + 5 * MINUTE_MS)
    inside.report(inside.heartbeat(host))
    assert spans(history(inside), start) == [
        (host.host, 0, 23 * 60),
        (host.host, 26 * 60 + 5, 26 * 60 + 5),
    ]


def test_a_move_ends_a_stay_and_so_does_the_way_back(inside: CollectorInside) -> None:
    """Even where the host was without the chip for minutes only."""
    start = inside.clock.ms
    a, b = inside.enrol("a", chips=2), inside.enrol("b", chips=1)
    stays, moves = a.inventory.chips
    own = b.inventory.chips
    inside.report(inside.full(a), inside.full(b))
    inside.pass_time(10 * MINUTE_MS)
    shows(a, stays)
    inside.report(inside.full(a))
    inside.pass_time(10 * MINUTE_MS)
    shows(b, *own, replace(moves, index=1))
    inside.report(inside.full(b))
    inside.pass_time(10 * MINUTE_MS)
    shows(b, *own)
    inside.report(inside.full(b))
    inside.pass_time(10 * MINUTE_MS)
    shows(a, stays, moves)
    inside.report(inside.full(a))
    assert spans(named(inside, moves.pdi or ""), start) == [
        (a.host, 0, 0),
        (b.host, 20, 20),
        (a.host, 40, 40),
    ]
    assert spans(named(inside, stays.serial or ""), start) == [(a.host, 0, 40)]
    assert len(history(inside)) == 5


def test_a_chip_that_fell_off_for_a_report_never_left(inside: CollectorInside) -> None:
    """It was seen nowhere else."""
    start = inside.clock.ms
    host = inside.enrol("a", chips=2)
    chips = host.inventory.chips
    for listed in (chips, chips[:1], chips):
        shows(host, *listed)
        inside.report(inside.full(host))
        inside.pass_time(HOUR_MS)
    assert spans(history(inside), start) == [(host.host, 0, 120)] * 2


def test_what_no_view_confirms_is_no_stay(inside: CollectorInside) -> None:
    """Declared is not seen."""
    host = inside.enrol("a", chips=2)
    host.inventory = replace(host.inventory, pci=host.inventory.pci[:1])
    inside.report(inside.full(host))
    assert len(history(inside)) == 1


def test_a_stay_is_asked_for_at_a_past_time(inside: CollectorInside) -> None:
    """What came later plays no part: neither its end nor its signature."""
    start = inside.clock.ms
    host = inside.enrol("a", chips=1)
    inside.report(inside.full(host))
    inside.pass_time(HOUR_MS)
    inside.report(inside.heartbeat(host))
    assert history(inside, at_ms=start - 1) == []
    assert spans(history(inside, at_ms=start), start) == [(host.host, 0, 0)]
    assert spans(history(inside, at_ms=start + HOUR_MS // 2), start) == [(host.host, 0, 30)]


def test_a_board_names_all_chips_that_ever_bore_it(inside: CollectorInside) -> None:
    """At whatever site they are."""
    a = inside.enrol("a", chips=1)
    b = inside.enrol("b", site="kul-1", chips=1)
    (mine,) = a.inventory.chips
    (other,) = b.inventory.chips
    shows(b, replace(other, serial=mine.serial))
    inside.report(inside.full(a), inside.full(b))
    assert {(stay.site, stay.pdi) for stay in named(inside, mine.serial or "")} == {
        ("ams-1", mine.pdi),
        ("kul-1", other.pdi),
    }
    assert named(inside, "GPU-nobody") == []


def test_a_chip_that_signs_for_itself_has_a_better_stay(inside: CollectorInside) -> None:
    """From the time on at which its signature was there."""
    start = inside.clock.ms
    makers = (GpuMaker(1), GpuMaker(2))
    host = inside.admit(host_of("s", makers))
    inside.report(inside.full(host))
    inside.pass_time(HOUR_MS)
    host.now_s = inside.clock.ms // 1000
    made = answer(host, inside.nonce(host, Kind.EVIDENCE), makers)
    inside.report(made.token, blobs=made.blobs)
    inside.judge()
    assert [str(stay.grade) for stay in history(inside)] == ["G3", "G3"]
    assert [str(stay.grade) for stay in history(inside, at_ms=start)] == ["G1", "G1"]


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 1), st.sets(st.integers(0, 2)), st.integers(1, 300)), max_size=12
    )
)
def test_stays_hold_every_sighting_and_nothing_else(
    inside: CollectorInside, steps: list[tuple[int, set[int], int]]
) -> None:
    """Of one host no two stays of a chip meet, and each sighting lies in exactly one of them."""
    ((example,),) = inside.rows("SELECT count(*) FROM hosts")
    hosts = [inside.enrol(f"{example}-{name}", chips=1) for name in "ab"]
    pool = [chip_of(str(example), index) for index in range(3)]
    seen: list[tuple[str, str, int]] = []
    for which, chips, minutes in steps:
        shows(hosts[which], *(pool[index] for index in sorted(chips)))
        inside.report(inside.full(hosts[which]))
        seen += [(hosts[which].host, str(pool[i].uuid), inside.clock.ms) for i in chips]
        inside.pass_time(minutes * MINUTE_MS)
    stays = named(inside, *(str(chip.uuid) for chip in pool))
    for host, uuid, at in seen:
        held = [s for s in stays if (s.host, s.uuid) == (host, uuid)]
        assert sum(s.from_ms <= at <= s.until_ms for s in held) == 1
    for stay in stays:
        times = {at for host, uuid, at in seen if (host, uuid) == (stay.host, stay.uuid)}
        assert {stay.from_ms, stay.until_ms} <= times
