"""Who holds which chip: moves, duplicates, disputes, and claims that are given up."""

from typing import Any

import pytest
from msgspec.structs import replace

from chipledger_evidence.inventory import Inventory, Status, Unread, Why
from chipledger_testing.collector_inside import HOUR_MS, CollectorInside
from chipledger_testing.hosts import chip_of, inventory_of, simulated

MINUTE_MS = 60_000


def present(inside: CollectorInside) -> dict[str, int]:
    """Return how many identified chips each host claims now."""
    rows = inside.rows("SELECT host, count(*) FROM claims GROUP BY host")
    return {str(host): int(count) for host, count in rows}


def test_a_chip_that_moves_is_no_duplicate(inside: CollectorInside) -> None:
    """A and then B, with A never again claiming it."""
    one, two = inside.enrol("a"), inside.enrol("b", site="kul-1")
    inside.report(inside.full(one))
    inside.report(inside.full(two))
    moved = one.inventory.chips[1]
    inside.pass_time(HOUR_MS)
    one.inventory = inventory_of(one.inventory.chips[0])
    inside.report(inside.full(one))
    inside.pass_time(HOUR_MS)
    two.inventory = inventory_of(*two.inventory.chips, replace(moved, index=2, pci=None, minor=2))
    two.inventory = inventory_of(
        *two.inventory.chips[:2], replace(moved, index=2, pci=chip_of("b", 2).pci, minor=2)
    )
    for _ in range(3):
        inside.report(inside.full(two), inside.heartbeat(two))
        inside.report(inside.heartbeat(one))
        inside.pass_time(HOUR_MS)
    assert inside.findings() == []
    assert present(inside) == {one.host: 1, two.host: 3}


def test_a_host_that_goes_silent_before_its_chips_show_elsewhere_has_moved(
    inside: CollectorInside,
) -> None:
    """A never again: no duplicate."""
    one = inside.enrol("a")
    inside.report(inside.full(one))
    inside.pass_time(HOUR_MS)
    two = simulated("b")
    two.inventory = one.inventory
    inside.admit(two)
    for _ in range(4):
        inside.report(inside.full(two))
        inside.pass_time(HOUR_MS)
    assert inside.findings() == ["silent-host"]
    assert inside.rows("SELECT count(*) FROM disputes") == [(0,)]


@pytest.mark.parametrize("again", ["heartbeat", "full"])
def test_a_chip_seen_on_b_between_two_sightings_on_a_is_a_duplicate(
    inside: CollectorInside, again: str
) -> None:
    """It counts where it was seen first; the other claim is disputed, once."""
    one = inside.enrol("a", chips=3)
    inside.report(inside.full(one))
    inside.pass_time(MINUTE_MS)
    two = simulated("b")
    two.inventory = inventory_of(one.inventory.chips[0], chip_of("b", 1))
    inside.admit(two, site="kul-1")
    inside.report(inside.full(two))
    assert inside.findings() == []
    since_ms = inside.clock.ms
    for _ in range(3):
        inside.pass_time(MINUTE_MS)
        inside.report(inside.heartbeat(one) if again == "heartbeat" else inside.full(one))
        inside.report(inside.heartbeat(two))
    assert inside.findings() == ["duplicate-identity"]
    ((chip, host, kept, since, until),) = inside.rows(
        "SELECT chip, host, kept_host, since_ms, until_ms FROM disputes"
    )
    assert (host, kept, since, until) == (two.host, one.host, since_ms, None)
    assert inside.rows("SELECT site, host FROM findings") == [("kul-1", two.host)]
    detail = inside.detail("duplicate-identity")
    assert (detail["ids"], detail["kept_host"], detail["kept_site"]) == ([chip], one.host, "ams-1")


def test_a_dispute_ends_when_one_side_lets_go(inside: CollectorInside) -> None:
    """Then the other claim counts again; the finding stays, somebody must explain it."""
    one = inside.enrol("a")
    inside.report(inside.full(one))
    inside.pass_time(MINUTE_MS)
    two = simulated("b")
    two.inventory = one.inventory
    inside.admit(two)
    inside.report(inside.full(two))
    inside.pass_time(MINUTE_MS)
    inside.report(inside.heartbeat(one))
    assert inside.rows("SELECT count(*) FROM disputes WHERE until_ms IS NULL") == [(2,)]
    inside.pass_time(MINUTE_MS)
    one.inventory = inventory_of()
    inside.report(inside.full(one))
    assert inside.rows("SELECT DISTINCT until_ms FROM disputes") == [(inside.clock.ms,)]
    assert inside.findings() == ["duplicate-identity"]
    assert present(inside) == {two.host: 2}


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_claim_made_and_given_up_between_two_reports_is_a_duplicate(
    inside: CollectorInside, restarts: int
) -> None:
    """A cheat cannot take a chip away for an hour, again and again, without being found."""
    one = inside.enrol("a")
    inside.report(inside.full(one))
    two = simulated("b")
    own = inventory_of(chip_of("b", 1))
    two.inventory = inventory_of(one.inventory.chips[0], chip_of("b", 1))
    inside.admit(two, site="kul-1")
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(two))
    since_ms = inside.clock.ms
    inside.pass_time(MINUTE_MS)
    two.inventory = own
    inside.report(inside.full(two))
    for _ in range(restarts):
        inside.restart()
    assert inside.findings() == []
    inside.pass_time(MINUTE_MS)
    inside.report(inside.heartbeat(one))
    assert inside.findings() == ["duplicate-identity"]
    assert inside.rows("SELECT host, kept_host, since_ms, until_ms FROM disputes") == [
        (two.host, one.host, since_ms, inside.clock.ms)
    ]
    assert present(inside) == {one.host: 2, two.host: 1}
    derived = inside.derived()
    inside.replay()
    assert inside.derived()["claims"] == derived["claims"]


def test_a_chip_that_passed_through_a_host_is_no_duplicate(inside: CollectorInside) -> None:
    """A, then B, then C, and A and B report only later that it is gone: two moves."""
    one, two, three = inside.enrol("a"), inside.enrol("b"), inside.enrol("c")
    moved, own_two, own_three = one.inventory.chips[0], two.inventory, three.inventory
    inside.report(inside.full(one))
    two.inventory = inventory_of(moved, chip_of("b", 1))
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(two))
    two.inventory = inventory_of(own_two.chips[1])
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(two))
    three.inventory = inventory_of(moved, own_three.chips[1])
    for _ in range(3):
        inside.pass_time(MINUTE_MS)
        inside.report(inside.full(three), inside.heartbeat(two))
    one.inventory = inventory_of(one.inventory.chips[1])
    inside.report(inside.full(one))
    for _ in range(2):
        inside.pass_time(MINUTE_MS)
        inside.report(inside.heartbeat(three), inside.heartbeat(two), inside.heartbeat(one))
    assert inside.findings() == []
    assert present(inside) == {one.host: 1, two.host: 1, three.host: 2}


def test_a_watch_survives_a_restart(inside: CollectorInside) -> None:
    """The sequencer's memory is nothing that the database does not know."""
    one = inside.enrol("a")
    inside.report(inside.full(one))
    inside.pass_time(MINUTE_MS)
    two = simulated("b")
    two.inventory = one.inventory
    inside.admit(two)
    inside.report(inside.full(two))
    inside.restart()
    inside.pass_time(MINUTE_MS)
    inside.report(inside.heartbeat(one))
    inside.restart()
    inside.report(inside.heartbeat(two))
    inside.report(inside.heartbeat(one))
    assert inside.findings() == ["duplicate-identity"]


def test_boards_that_share_a_serial_are_no_duplicate(inside: CollectorInside) -> None:
    """Neither on one host, as the two chips of a GB200 board, nor on two: a serial is no name."""
    one, two = inside.enrol("a"), inside.enrol("b", site="kul-1")
    for host in (one, two):
        chips = (replace(chip, serial="1650923004993") for chip in host.inventory.chips)
        host.inventory = inventory_of(*chips)
    for _ in range(3):
        inside.report(inside.full(one))
        inside.report(inside.full(two))
        inside.pass_time(HOUR_MS)
    assert inside.findings() == []
    assert present(inside) == {one.host: 2, two.host: 2}


def test_two_hosts_in_dispute_are_one_finding_however_often(inside: CollectorInside) -> None:
    """Two that take chips from each other in turns cannot drown what others did."""
    one = inside.enrol("a", chips=3)
    inside.report(inside.full(one))
    two = simulated("b", chips=1)
    own, taken = two.inventory, one.inventory.chips
    inside.admit(two, site="kul-1")
    inside.report(inside.full(two))
    for cycle in range(6):
        inside.pass_time(MINUTE_MS)
        mark = replace(chip_of("b", 5), vbios=f"96.00.{cycle}")
        elsewhere = replace(taken[cycle % 3], pci=chip_of("b", 6).pci)
        two.inventory = inventory_of(elsewhere, mark)
        inside.report(inside.full(two))
        inside.pass_time(MINUTE_MS)
        inside.report(inside.heartbeat(one))
        two.inventory = own
        inside.pass_time(MINUTE_MS)
        inside.report(inside.full(two))
    assert inside.findings() == ["duplicate-identity"]
    detail = inside.detail("duplicate-identity")
    assert len(set(detail["ids"])) == len(detail["chips"]) == 3
    assert inside.rows("SELECT times, host FROM findings") == [(6, two.host)]
    records = "SELECT count(*) FROM records WHERE type = 'finding'"
    assert inside.rows(records) == [(3,)]  # once for each chip that was new to it
    derived = inside.derived()
    inside.replay()
    assert inside.derived() == derived


def test_a_dispute_lists_a_bounded_number_of_chips(inside: CollectorInside) -> None:
    """A host may claim any number of chips of another; the finding says that there are more."""
    one = inside.enrol("a", chips=40)
    inside.report(inside.full(one))
    two = simulated("b")
    two.inventory = one.inventory
    inside.admit(two)
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(two))
    inside.pass_time(MINUTE_MS)
    inside.report(inside.heartbeat(one))
    assert inside.findings() == ["duplicate-identity"]
    detail = inside.detail("duplicate-identity")
    assert (len(detail["ids"]), len(detail["chips"]), detail["more"]) == (32, 32, True)


def failed(inventory: Inventory, *, listed: int = 0) -> Inventory:
    """Return what a scan says whose driver does not answer: the PCI bus shows what is there."""
    return replace(
        inventory,
        status=Status.DRIVER_MISMATCH,
        chips=inventory.chips[:listed],
        device_count=None,
        proc=(),
    )


def claimed(inside: CollectorInside) -> list[tuple[Any, ...]]:
    """Return which hosts claim how many chips, and since when at the earliest."""
    return inside.rows("SELECT host, count(*), min(since_ms) FROM claims GROUP BY host")


@pytest.mark.parametrize("restarts", [0, 1])
def test_a_failed_scan_does_not_hand_a_chip_to_a_rival(
    inside: CollectorInside, restarts: int
) -> None:
    """Whoever makes the owner's scan fail and claims its chip is disputed, not believed."""
    one = inside.enrol("a")
    good = one.inventory
    inside.report(inside.full(one))
    since_ms = inside.clock.ms
    inside.pass_time(MINUTE_MS)
    one.inventory = failed(good)
    inside.report(inside.full(one))
    for _ in range(restarts):
        inside.restart()
    assert claimed(inside) == [(one.host, 2, since_ms)]
    inside.pass_time(MINUTE_MS)
    two = simulated("b")
    two.inventory = inventory_of(good.chips[0], chip_of("b", 1))
    inside.admit(two, site="kul-1")
    inside.report(inside.full(two))
    inside.pass_time(MINUTE_MS)
    inside.report(inside.heartbeat(one))
    assert inside.findings() == ["duplicate-identity", "scan-incomplete"]
    assert inside.rows("SELECT host, kept_host, until_ms FROM disputes") == [
        (two.host, one.host, None)
    ]
    one.inventory = good
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(one))
    assert inside.findings() == ["duplicate-identity"]
    assert (one.host, 2, since_ms) in claimed(inside)
    assert inside.rows("SELECT count(*) FROM disputes WHERE until_ms IS NULL") == [(1,)]


@pytest.mark.parametrize("view", ["pci", "proc"])
def test_a_view_that_cannot_be_read_does_not_hand_a_chip_to_a_rival(
    inside: CollectorInside, view: str
) -> None:
    """The chip counts for nothing while nobody confirms it; the claim stays the owner's."""
    one = inside.enrol("a")
    good = one.inventory
    inside.report(inside.full(one))
    inside.pass_time(MINUTE_MS)
    blind: dict[str, Any] = {view: (), "unread": {view: Unread(why=Why.OS_ERROR)}}
    one.inventory = replace(good, **blind)
    inside.report(inside.full(one))
    assert inside.standings("ams-1") == ["uncounted"] * 2
    two = simulated("b")
    two.inventory = inventory_of(good.chips[0], chip_of("b", 1))
    inside.pass_time(MINUTE_MS)
    inside.admit(two, site="kul-1")
    inside.report(inside.full(two))
    inside.pass_time(MINUTE_MS)
    inside.report(inside.heartbeat(one))
    assert inside.rows("SELECT host, kept_host, until_ms FROM disputes") == [
        (two.host, one.host, None)
    ]


def test_a_line_that_nobody_confirms_makes_no_claim(inside: CollectorInside) -> None:
    """Else a lie in one view alone could take a chip from its owner."""
    two = simulated("b")
    two.inventory = replace(inventory_of(chip_of("a", 0)), pci=())
    inside.admit(two, site="kul-1")
    inside.report(inside.full(two))

    assert claimed(inside) == []


def test_a_standing_dispute_outlives_a_failed_scan(inside: CollectorInside) -> None:
    """The claim that does not count does not begin to count because the other cannot look."""
    one = inside.enrol("a")
    good = one.inventory
    inside.report(inside.full(one))
    two = simulated("b")
    two.inventory = good
    inside.admit(two, site="kul-1")
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(two))
    inside.pass_time(MINUTE_MS)
    inside.report(inside.heartbeat(one))
    one.inventory = failed(good)
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(one), inside.heartbeat(two))
    inside.pass_time(MINUTE_MS)
    inside.report(inside.heartbeat(one), inside.heartbeat(two))
    assert inside.rows("SELECT host, until_ms FROM disputes") == [(two.host, None)] * 2


def test_a_chip_that_is_gone_after_a_failed_scan_has_moved(inside: CollectorInside) -> None:
    """Once the scan succeeds and lists it no more, the other claim counts."""
    one = inside.enrol("a")
    good = one.inventory
    inside.report(inside.full(one))
    one.inventory = failed(good)
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(one))
    two = simulated("b")
    two.inventory = good
    inside.admit(two, site="kul-1")
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(two))
    inside.pass_time(MINUTE_MS)
    inside.report(inside.heartbeat(one))
    one.inventory = inventory_of()
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(one))
    assert present(inside) == {two.host: 2}
    assert inside.rows("SELECT count(*) FROM disputes WHERE until_ms IS NULL") == [(0,)]


@pytest.mark.parametrize("listed", [0, 1])
def test_chips_behind_a_failed_scan_are_silent_and_not_missing(
    inside: CollectorInside, listed: int
) -> None:
    """They count as silent until the scan succeeds; what it still listed counts as it says."""
    one = inside.enrol("a")
    good = one.inventory
    inside.report(inside.full(one))
    one.inventory = failed(good, listed=listed)
    for _ in range(2):
        inside.pass_time(MINUTE_MS)
        inside.report(inside.full(one))
    standings = inside.standings("ams-1")
    assert sorted(standings) == sorted(["silent"] * (2 - listed) + ["uncounted"] * listed)
    one.inventory = good
    inside.pass_time(MINUTE_MS)
    inside.report(inside.full(one))
    assert inside.standings("ams-1") == ["present"] * 2
    derived = inside.derived()
    inside.replay()
    assert inside.derived() == derived
