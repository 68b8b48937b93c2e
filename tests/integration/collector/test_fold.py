"""From accepted tokens to state and findings, through the real statements."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.ids import NO_PREVIOUS, sha256_b64
from chipledger_server.adapters.tokens_sqlite import token_at
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.domain.packing import unpack_body
from chipledger_testing.collector_inside import HOUR_MS, CollectorInside
from chipledger_testing.hosts import chip_of, inventory_of

MINUTE_MS = 60_000


def present(inside: CollectorInside) -> dict[str, int]:
    """Return how many identified chips each host claims now."""
    rows = inside.rows("SELECT host, count(*) FROM claims GROUP BY host")
    return {str(host): int(count) for host, count in rows}


def test_a_full_report_makes_its_host_and_chips_known(inside: CollectorInside) -> None:
    """Chips get identities, the host a running run, and nothing is found."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    assert present(inside) == {host.host: 2}
    assert inside.rows("SELECT count(*), sum(chip IS NOT NULL) FROM inventory_chips") == [(2, 2)]
    assert inside.rows("SELECT host, since_ms, until_ms FROM presence") == [
        (host.host, inside.clock.ms, None)
    ]
    assert inside.findings() == []


def test_heartbeats_keep_one_run_running(inside: CollectorInside) -> None:
    """A day of heartbeats is one run, and one row of the host."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    for _ in range(24):
        inside.pass_time(HOUR_MS)
        inside.report(inside.heartbeat(host))
    assert inside.rows("SELECT count(*) FROM presence") == [(1,)]
    assert inside.rows("SELECT seq, fresh_ms FROM hosts") == [(25, inside.clock.ms)]
    assert inside.findings() == []


def test_a_changed_inventory_ends_the_run_where_it_was_last_seen(inside: CollectorInside) -> None:
    """The chips that are gone are released, the others stay claimed since the beginning."""
    host = inside.enrol("a", chips=3)
    inside.report(inside.full(host))
    first_ms = inside.clock.ms
    inside.pass_time(HOUR_MS)
    host.inventory = inventory_of(*host.inventory.chips[:2])
    inside.report(inside.full(host))
    assert inside.rows("SELECT since_ms, until_ms FROM presence ORDER BY id") == [
        (first_ms, first_ms),
        (inside.clock.ms, None),
    ]
    assert inside.rows("SELECT DISTINCT since_ms FROM claims") == [(first_ms,)]
    assert present(inside) == {host.host: 2}


def test_a_heartbeat_naming_an_inventory_never_sent_ends_the_run(inside: CollectorInside) -> None:
    """Nobody knows what is there until the full report comes."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    host.inventory = inventory_of(chip_of("other", 0))
    answer = inside.take(inside.heartbeat(host))
    assert answer.want == "full"
    inside.step()
    assert inside.rows("SELECT count(*) FROM presence WHERE until_ms IS NULL") == [(0,)]
    inside.report(inside.full(host))
    assert inside.rows("SELECT count(*) FROM presence WHERE until_ms IS NULL") == [(1,)]
    assert present(inside) == {host.host: 1}


def test_a_late_token_repairs_the_chain_and_proves_no_presence(inside: CollectorInside) -> None:
    """It is stored and explains silence; the time it speaks of stays unproven."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    kept_back = inside.heartbeat(host)
    inside.pass_time(2 * HOUR_MS)
    inside.report(inside.heartbeat(host))
    assert inside.findings() == ["chain-gap"]
    inside.pass_time(2 * HOUR_MS)
    seen = inside.rows("SELECT fresh_ms, fresh_seq FROM hosts")
    inside.report(kept_back)
    assert inside.rows("SELECT freshness FROM tokens ORDER BY pos DESC LIMIT 1") == [("late",)]
    assert inside.rows("SELECT fresh_ms, fresh_seq FROM hosts") == seen
    assert (inside.findings(), inside.findings("resolved")) == ([], ["chain-gap"])


def test_tokens_out_of_order_leave_one_clean_chain(inside: CollectorInside) -> None:
    """A gap that is filled is resolved, and opens once however often it moves."""
    host = inside.enrol("a")
    tokens = [inside.full(host), *(inside.heartbeat(host) for _ in range(4))]
    for index in (2, 4, 0, 3, 1):
        inside.report(tokens[index])
    assert inside.rows("SELECT seq, missing FROM hosts") == [(5, None)]
    assert inside.findings() == []
    assert inside.findings("resolved") == ["chain-gap"]


def test_a_restored_disk_is_a_fork(inside: CollectorInside) -> None:
    """Two histories of one host are said, once."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    seq, prev = host.seq, host.prev
    inside.report(inside.heartbeat(host))
    inside.pass_time(MINUTE_MS)
    host.seq, host.prev = seq, prev
    inside.report(inside.heartbeat(host))
    inside.report(inside.heartbeat(host))
    assert inside.findings() == ["chain-fork"]
    assert inside.detail("chain-fork") == {"seq": 2}


def test_a_resumed_chain_is_said_and_is_no_fork(inside: CollectorInside) -> None:
    """A host that lost its state continues from the collector's head."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    inside.report(inside.full(host, resumed=True))
    assert inside.findings() == ["chain-resumed"]


def test_a_lost_beginning_is_a_gap(inside: CollectorInside) -> None:
    """A chain does not begin in its middle unseen."""
    host = inside.enrol("a")
    host.seq, host.prev = 6, sha256_b64(b"lost")
    inside.report(inside.full(host))
    assert inside.findings() == ["chain-gap"]
    assert inside.detail("chain-gap") == {"count": 6, "missing": ["1-6"]}


def test_a_chip_stays_itself_when_its_driver_learns_the_pdi(inside: CollectorInside) -> None:
    """An upgrade makes no second chip and no finding."""
    host = inside.enrol("a")
    chips = host.inventory.chips
    host.inventory = inventory_of(*(replace(chip, pdi=None) for chip in chips))
    inside.report(inside.full(host))
    host.inventory = inventory_of(*chips)
    inside.report(inside.full(host))
    assert inside.rows("SELECT count(*) FROM chips") == [(2,)]
    assert inside.findings() == []


def test_a_changed_pair_of_identifiers_is_found(inside: CollectorInside) -> None:
    """A copied UUID on another die is another chip."""
    host = inside.enrol("a")
    first, second = host.inventory.chips
    inside.report(inside.full(host))
    host.inventory = inventory_of(first, replace(second, pdi="00000000deadbeef"))
    inside.report(inside.full(host))
    assert inside.findings() == ["identity-changed"]
    assert inside.rows("SELECT count(*) FROM chips") == [(3,)]


def test_views_that_differ_are_found_and_resolved(inside: CollectorInside) -> None:
    """The finding ends with the difference."""
    host = inside.enrol("a")
    good = host.inventory
    host.inventory = replace(good, pci=good.pci[:1])
    inside.report(inside.full(host))
    assert inside.findings() == ["pci-nvml-differ"]
    assert present(inside) == {host.host: 1}
    host.inventory = good
    inside.report(inside.full(host))
    assert (inside.findings(), inside.findings("resolved")) == ([], ["pci-nvml-differ"])
    assert present(inside) == {host.host: 2}


def test_an_unknown_model_is_found(inside: CollectorInside) -> None:
    """It is a finding, never zero."""
    host = inside.enrol("a")
    first, second = host.inventory.chips
    if second.pci is None:
        raise AssertionError
    strange = replace(second, name="NVIDIA X9000", pci=replace(second.pci, device="ffff10de"))
    host.inventory = inventory_of(first, strange)
    inside.report(inside.full(host))
    assert inside.findings() == ["unknown-sku"]
    assert inside.detail("unknown-sku") == {"models": ["NVIDIA X9000 (PCI ffff10de)"]}


def test_a_clock_that_is_wrong_by_hours_is_found_and_resolved(inside: CollectorInside) -> None:
    """The token stands, the clock is a finding."""
    host = inside.enrol("a")
    inside.report(inside.full(host, iat=inside.clock.ms // 1000 - 7200))
    assert inside.findings() == ["clock-odd"]
    assert inside.detail("clock-odd") == {"difference_s": -7200}
    inside.report(inside.heartbeat(host))
    assert inside.findings() == []


def test_skipped_scans_and_a_contradicted_log_are_said(inside: CollectorInside) -> None:
    """What the host signs about itself and about us is found."""
    host = inside.enrol("a")
    inside.report(inside.full(host, skipped=3, conflict=("one", "two")))
    assert inside.findings() == ["log-conflict", "scans-skipped"]


def test_a_quiet_host_is_silent_after_three_intervals(inside: CollectorInside) -> None:
    """Not earlier; and it is no longer silent when it returns."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    seen_ms = inside.clock.ms
    inside.pass_time(3 * HOUR_MS)
    assert inside.findings() == []
    inside.pass_time(MINUTE_MS)
    assert inside.findings() == ["silent-host"]
    assert inside.rows("SELECT silent_since_ms FROM hosts") == [(seen_ms,)]
    inside.report(inside.heartbeat(host))
    assert (inside.findings(), inside.findings("resolved")) == ([], ["silent-host"])
    inside.pass_time(3 * HOUR_MS + MINUTE_MS)
    assert inside.findings() == ["silent-host"]


def test_a_run_does_not_bridge_silence(inside: CollectorInside) -> None:
    """A host that returns after its limit begins a new run."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    seen_ms = inside.clock.ms
    inside.pass_time(5 * HOUR_MS)
    inside.report(inside.heartbeat(host))
    assert inside.rows("SELECT since_ms, until_ms FROM presence ORDER BY id") == [
        (seen_ms, seen_ms),
        (inside.clock.ms, None),
    ]


def test_an_enrolled_host_that_never_reports_is_silent(inside: CollectorInside) -> None:
    """Silence begins with enrolment."""
    inside.enrol("a")
    inside.pass_time(3 * HOUR_MS + MINUTE_MS)
    assert inside.findings() == ["silent-host"]


def test_the_collectors_own_downtime_makes_nobody_silent(inside: CollectorInside) -> None:
    """A host is given the time back in which nobody was listening."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    inside.pass_time(HOUR_MS)
    inside.clock.ms += 24 * HOUR_MS
    inside.restart()
    inside.pass_time(HOUR_MS)
    assert inside.findings() == []
    assert inside.rows("SELECT to_ms - from_ms FROM downtime") == [(24 * HOUR_MS,)]
    inside.report(inside.heartbeat(host))
    assert inside.rows("SELECT count(*) FROM presence") == [(1,)]
    inside.pass_time(4 * HOUR_MS)
    assert inside.findings() == ["silent-host"]


def test_hosts_that_fall_silent_together_are_mass_silence(inside: CollectorInside) -> None:
    """Two of ten within a quarter of an hour; over when they return."""
    hosts = [inside.enrol(f"h{number}", chips=1) for number in range(10)]
    for host in hosts:
        inside.report(inside.full(host))
    for _ in range(4):
        inside.pass_time(HOUR_MS)
        for host in hosts[2:]:
            inside.report(inside.heartbeat(host))
    assert inside.findings() == ["mass-silence", "silent-host", "silent-host"]
    assert inside.detail("mass-silence") == {"hosts": 10, "silent": 2}
    inside.report(inside.heartbeat(hosts[0]))
    assert inside.findings() == ["silent-host"]


def test_one_silent_host_is_no_mass_silence(inside: CollectorInside) -> None:
    """Even where it is half of a small site."""
    one, two = inside.enrol("a"), inside.enrol("b")
    inside.report(inside.full(one), inside.full(two))
    for _ in range(4):
        inside.pass_time(HOUR_MS)
        inside.report(inside.heartbeat(one))
    assert inside.findings() == ["silent-host"]


def test_a_quiet_log_gets_a_pulse(inside: CollectorInside) -> None:
    """Every ten minutes an entry nobody could foresee."""
    inside.pass_time(HOUR_MS)
    ((count, different),) = inside.rows(
        "SELECT count(*), count(DISTINCT record) FROM records WHERE type = 'pulse'"
    )
    assert count == different
    assert 5 <= count <= 6


def test_every_token_and_record_has_exactly_one_place_in_the_log(inside: CollectorInside) -> None:
    """Nothing is left out, nothing stands twice, and indices have no holes."""
    hosts = [inside.enrol(f"h{number}", chips=1) for number in range(3)]
    for host in hosts:
        inside.report(inside.full(host), inside.heartbeat(host))
    inside.pass_time(4 * HOUR_MS)
    places = []
    expected = 0
    for first, source, pos, count in inside.rows("SELECT * FROM log_runs ORDER BY first"):
        assert first == expected
        expected += count
        places += [(source, pos + step) for step in range(count)]
    assert len(set(places)) == len(places)
    tokens = {("token", pos) for (pos,) in inside.rows("SELECT pos FROM tokens")}
    records = {("record", pos) for (pos,) in inside.rows("SELECT pos FROM records")}
    assert set(places) == tokens | records
    assert inside.rows("SELECT log_size FROM sequencer") == [(expected,)]


def test_a_sequencer_that_lost_its_lease_commits_nothing(inside: CollectorInside) -> None:
    """Two of them never apply the same token."""
    host = inside.enrol("a")
    fenced = inside.sequencer
    inside.restart()
    inside.take(inside.full(host))
    with pytest.raises(ServerError) as caught:
        fenced.step((), beat=False)
    assert caught.value.code is Code.FENCED
    assert inside.rows("SELECT token_pos FROM sequencer") == [(0,)]
    assert inside.rows("SELECT count(*) FROM chips") == [(0,)]
    inside.step()
    assert inside.rows("SELECT token_pos FROM sequencer") == [(1,)]


def test_stored_tokens_come_back_as_the_bytes_that_were_received(inside: CollectorInside) -> None:
    """Header, payload and signature of full reports and heartbeats, packed and unpacked."""
    host = inside.enrol("a", chips=8)
    tokens = [inside.full(host), *(inside.heartbeat(host) for _ in range(3)), inside.full(host)]
    for token in tokens:
        inside.report(token)
    back = [token_at(inside.connection.execute, pos) for pos in range(1, 6)]
    assert back == tokens


def test_evidence_is_kept_where_a_token_names_it(inside: CollectorInside) -> None:
    """Blobs that no token of the body names are not."""
    host = inside.enrol("a")
    named, stray = b"evidence", b"stray"
    reference = {"bytes": len(named), "digest": sha256_b64(named), "kind": "gpu"}
    inside.report(inside.full(host, evidence=(reference,)), blobs=(named, stray))
    ((digest, body),) = inside.rows("SELECT digest, body FROM blobs")
    assert (digest, unpack_body(body)) == (b64url_decode(sha256_b64(named)), named)


def a_busy_week(inside: CollectorInside, seed: int) -> None:
    """Let honest and odd things happen to a handful of hosts."""
    chance = random.Random(seed)  # noqa: S311 - a story, the same one every time
    hosts = [
        inside.enrol(f"h{number}", site=chance.choice(("ams-1", "kul-1"))) for number in range(5)
    ]
    for host in hosts:
        inside.report(inside.full(host))
    kept_back = []
    for _ in range(60):
        inside.pass_time(chance.choice((MINUTE_MS, HOUR_MS, HOUR_MS, 2 * HOUR_MS)))
        host = chance.choice(hosts)
        what = chance.randrange(9)
        if what == 0:
            host.inventory = inventory_of(*host.inventory.chips[: chance.randrange(3)])
            inside.report(inside.full(host))
        elif what == 1:
            other = chance.choice(hosts)
            host.inventory = inventory_of(*host.inventory.chips[:1], *other.inventory.chips[:1])
            inside.report(inside.full(host))
        elif what == 2:
            kept_back.append(inside.heartbeat(host))
        elif what == 3 and kept_back:
            inside.report(kept_back.pop(chance.randrange(len(kept_back))))
        elif what == 4:
            host.seq, host.prev = host.seq - 1, NO_PREVIOUS
            inside.report(inside.heartbeat(host))
        elif what == 5:
            inside.report(inside.heartbeat(host, iat=1))
        elif what == 6:
            inside.restart()
        else:
            inside.report(inside.heartbeat(host), inside.heartbeat(host))


@pytest.mark.parametrize("seed", range(6))
def test_replaying_the_log_gives_the_same_state(inside: CollectorInside, seed: int) -> None:
    """Everything derived can be lost and computed anew."""
    a_busy_week(inside, seed)
    before = inside.derived()
    inside.replay()
    assert inside.derived() == before
    inside.restart()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(order=st.permutations(range(6)))
def test_any_order_of_delivery_ends_in_the_same_chain(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    """The head, what is missing, and whether it split: whatever the network did."""
    inside = CollectorInside(tmp_path_factory.mktemp("order"))
    host = inside.enrol("a", chips=1)
    tokens = [inside.full(host), *(inside.heartbeat(host) for _ in range(5))]
    for index in order:
        inside.report(tokens[index])
    assert inside.rows("SELECT seq, missing FROM hosts") == [(6, None)]
    assert inside.findings() == []
    inside.close()


def test_a_collector_that_stood_still_does_not_lay_it_on_its_hosts(inside: CollectorInside) -> None:
    """A machine that was suspended: the first step knows it before it takes up a report."""
    host = inside.enrol("h")
    inside.report(inside.full(host))
    inside.clock.ms += 9 * HOUR_MS
    inside.report(inside.heartbeat(host))
    before = inside.derived()
    assert len(before["presence"]) == 1

    inside.replay()
    assert inside.derived() == before
