"""The balance of a site, from the database, at any two times."""

import sqlite3
from typing import Any

import msgspec
import pytest
from sqlalchemy import event as listen

from chipledger_book.events import Correction
from chipledger_evidence.inventory import Chip
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.book.reconcile import all_balances, left_out
from chipledger_server.usecases.physical import Reading
from chipledger_server.usecases.reading import When
from chipledger_testing.book import (
    H100,
    declared,
    licence,
    lpp,
    ms,
    party,
    pieces,
    received,
    site_of,
)
from chipledger_testing.door import Door
from chipledger_testing.hosts import chip_of
from chipledger_testing.johor import SITE, TWIN_SINCE, Johor
from chipledger_testing.scene import HOUR, SILENCE_MS, Scene

EIGHT = range(8)
START = ms(2026, 3, 2)


def row(door: Door, site: str = "johor", **times: str | int) -> Any:  # noqa: ANN401 - JSON
    """Return the H100 row of a site's balance."""
    report = door.read(f"/sites/{site}/balance", **times)["report"]
    return next(one for one in report["rows"] if one["sku"] == H100)


def eight(name: str) -> list[Chip]:
    """Return eight chips of a host."""
    return [chip_of(name, index) for index in EIGHT]


@pytest.fixture
def johor_site(scene: Scene) -> Scene:
    """Return a scene with one site that received eight H100."""
    scene.enter(declared(), received(8))
    return scene


def test_each_chip_stands_in_one_column(johor: Johor) -> None:
    """Booked = self-reported + silent + unaccounted; a chip that two hosts list is one chip."""
    found = row(johor.door, SITE)

    assert found["book"] == 24
    assert found["present"] == {"G1": 14, "G2": 0, "G3": 0, "G4": 0}
    assert (found["silent"], found["disputed"], found["unaccounted"]) == (8, 0, 2)
    assert found["overage"] == 0


def test_two_verdicts_stand_apart(johor: Johor) -> None:
    """Unaccounted for on one side, exceeded on the other; neither hides the other."""
    report = johor.door.read(f"/sites/{SITE}/balance")["report"]

    assert report["physical"] == "unaccounted"
    assert report["authorisation"] == "exceeded"


def test_a_chip_whose_views_differ_is_no_better_than_declared(johor: Johor) -> None:
    """It is listed as unconfirmed and is nowhere in the row."""
    balance = johor.door.read(f"/sites/{SITE}/balance")

    assert balance["uncounted"]["unconfirmed"] == 1


def test_a_host_is_silent_after_the_limit_and_not_before(johor_site: Scene, door: Door) -> None:
    """To the millisecond."""
    host = johor_site.host("johor", "a", at=START)
    last = johor_site.now_ms - SILENCE_MS
    johor_site.seen(host, *eight("a"), since=START, until=last)

    assert row(door)["present"]["G1"] == 8
    johor_site.now_ms += 1
    assert row(door)["present"]["G1"] == 0
    assert row(door)["silent"] == 8


def test_the_collectors_own_downtime_makes_nobody_silent(johor_site: Scene, door: Door) -> None:
    """Time in which nothing could be accepted does not count."""
    host = johor_site.host("johor", "a", at=START)
    last = johor_site.now_ms - SILENCE_MS - HOUR
    johor_site.seen(host, *eight("a"), since=START, until=last)
    johor_site.downtime(last + HOUR, last + 2 * HOUR)

    assert row(door)["present"]["G1"] == 8


def test_a_disputed_claim_stands_apart_where_it_does_not_count(scene: Scene, door: Door) -> None:
    """At the site of the kept claim the chip is present; at the other it is disputed, from then."""
    scene.enter(declared(), declared(site_of("muar")), received(1), received(1, site="muar"))
    keeper, loser = scene.host("johor", "a", at=START), scene.host("muar", "b", at=START)
    chip = chip_of("c", 0)
    scene.seen(keeper, chip, since=START)
    scene.seen(loser, chip, since=START + HOUR)
    scene.dispute(chip, loser=loser, keeper=keeper, since=START + HOUR)

    assert row(door)["present"]["G1"] == 1
    assert (row(door, "muar")["disputed"], row(door, "muar")["present"]["G1"]) == (1, 0)
    assert row(door, "muar", as_of=START)["disputed"] == 0


def test_the_past_is_as_it_was(johor: Johor) -> None:
    """Before the twin, and before the silence."""
    before_twin = row(johor.door, SITE, as_of=TWIN_SINCE - 1)

    assert before_twin["present"]["G1"] == 16
    assert before_twin["silent"] == 0


def test_a_day_is_looked_at_at_its_end(johor: Johor) -> None:
    """What is true on the second of March includes that day."""
    assert row(johor.door, SITE, as_of="2026-03-01")["present"]["G1"] == 0
    assert row(johor.door, SITE, as_of="2026-03-02")["present"]["G1"] == 16


def test_what_was_entered_later_was_not_known(scene: Scene, door: Door) -> None:
    """A receipt entered today for March is unknown to whoever looks with March's eyes."""
    scene.enter(declared(at=ms(2025)))
    entered = scene.now_ms
    scene.now_ms += HOUR
    scene.enter(received(8, at=ms(2026, 3)))

    assert row(door, as_of="2026-04-01")["book"] == 8
    report = door.read("/sites/johor/balance", as_of="2026-04-01", known_at=entered)["report"]
    assert report["rows"] == []


def test_sites_that_share_only_a_consignee_share_its_licence(scene: Scene, door: Door) -> None:
    """One page says what all pages say: the second eight are beyond the one licence of eight."""
    twin = msgspec.structs.replace(site_of("ipoh"), ultimate_parent=party("gamma", "SG"))
    scene.enter(declared(), declared(twin), licence("D-1", pieces(8)))
    scene.enter(received(8), received(8, site="ipoh", at=ms(2026, 4)))

    together = {one["id"]: one["authorisation"] for one in door.read("/sites")["items"]}
    alone = {
        site: door.read(f"/sites/{site}/balance")["report"]["authorisation"]
        for site in ("ipoh", "johor")
    }
    assert together == alone
    assert alone["ipoh"] == "exceeded"


def test_what_was_seen_later_was_not_known(johor_site: Scene, door: Door) -> None:
    """With the eyes of an hour ago, a host that has reported since is where it was then."""
    host = johor_site.host("johor", "a", at=START)
    earlier = johor_site.now_ms
    johor_site.now_ms += 5 * HOUR
    johor_site.seen(host, *eight("a"), since=earlier + HOUR)

    assert row(door)["present"]["G1"] == 8
    assert row(door, known_at=earlier)["present"]["G1"] == 0


def test_a_correction_takes_its_event_out(johor_site: Scene, door: Door) -> None:
    """From when a second person agreed, for every `as_of`; the old book stays readable."""
    before = johor_site.now_ms
    wrong = door.read("/events", type="received")["items"][0]["id"]
    johor_site.now_ms += HOUR
    undo = Correction(occurred_at_ms=ms(2026, 5), corrects=wrong, reason="typing error")
    johor_site.enter(undo)
    assert row(door)["book"] == 8
    johor_site.agree(undo)
    johor_site.enter(received(9))

    assert row(door)["book"] == 9
    assert row(door, known_at=before)["book"] == 8


def test_a_site_without_a_declaration_is_named_and_hides_no_other(
    johor_site: Scene, door: Door
) -> None:
    """Its only declaration was corrected while a host stands there; the rest is answered."""
    wrong = johor_site.enter(declared(site_of("muar")))[0]
    host = johor_site.host("muar", "a", at=START)
    johor_site.seen(host, *eight("a"), since=START)
    undo = Correction(occurred_at_ms=ms(2026, 5), corrects=wrong.id, reason="wrong country")
    johor_site.enter(undo)
    johor_site.agree(undo)
    now = When(as_of_ms=johor_site.now_ms, known_at_ms=johor_site.now_ms)
    with johor_site.reads.snapshot() as snapshot:
        balances = all_balances(snapshot, now, johor_site.measure, scope=None)
        problems = left_out(snapshot, now, balances)

    assert [one.report.site for one in balances] == ["johor"]
    assert [(one.code, one.where) for one in problems] == [("unknown-site", "muar")]
    assert [one["id"] for one in door.read("/sites")["items"]] == ["johor"]
    assert door.refused("/sites/muar/balance") == (404, "unknown-site")


def test_a_site_declared_anew_still_uses_its_former_parents_limit(scene: Scene, door: Door) -> None:
    """One site alone is read with everything its earlier forms are linked to."""
    alpha, beta = party("alpha"), party("beta")
    scene.enter(
        declared(site_of("johor", owner=alpha)),
        declared(site_of("muar", owner=alpha)),
        lpp(consignee="alpha"),
        received(1699, at=ms(2026, 2)),
        declared(site_of("johor", owner=beta), at=START),
        received(1, site="muar", at=ms(2026, 4)),
    )

    for site in ("johor", "muar"):
        report = door.read(f"/sites/{site}/balance")["report"]
        assert report["authorisation"] == "exceeded"


def test_a_chip_that_moved_is_counted_where_it_was_seen_last(scene: Scene, door: Door) -> None:
    """Seen on A and then on B is a move: nothing is silent on A, and nothing counts twice."""
    scene.enter(declared(), declared(site_of("muar")), received(8))
    old, new = scene.host("johor", "old", at=START), scene.host("muar", "new", at=START)
    moved = eight("m")
    scene.seen(old, *moved, since=START, until=START + HOUR)
    scene.seen(new, *moved, since=START + 2 * HOUR)

    there = row(door)
    assert (there["present"]["G1"], there["silent"], there["unaccounted"]) == (0, 0, 8)
    assert row(door, "muar")["overage"] == 8
    assert door.read("/sites/johor/balance")["uncounted"]["moved"] == 8


def test_a_failing_handle_is_silent_not_gone(johor_site: Scene, door: Door) -> None:
    """A count never shrinks because a call failed."""
    host = johor_site.host("johor", "a", at=START)
    readings = [Reading.LOST]
    johor_site.seen(host, *eight("a"), since=START, readings=readings)

    found = row(door)
    assert (found["present"]["G1"], found["silent"], found["unaccounted"]) == (7, 1, 0)


def test_what_is_on_the_bus_alone_is_counted_nowhere(johor_site: Scene, door: Door) -> None:
    """Present and unidentified, and never added to what a guest may report."""
    host = johor_site.host("johor", "a", at=START)
    readings = [Reading.UNIDENTIFIED, Reading.NOT_PHYSICAL]
    johor_site.seen(host, *eight("a"), since=START, readings=readings)

    uncounted = door.read("/sites/johor/balance")["uncounted"]
    assert (uncounted["unidentified"], uncounted["not_physical"]) == (1, 1)
    assert row(door)["present"]["G1"] == 6


def test_a_parents_limit_counts_all_its_sites(scene: Scene, door: Door) -> None:
    """TPP received at a sister site is used up here too, found by the ledger's index."""
    owner = party()
    scene.enter(
        declared(site_of("johor", owner=owner)),
        declared(site_of("muar", owner=owner)),
        received(8, site="muar"),
    )

    linked = door.read("/sites/johor/balance")["report"]
    assert linked["tpp"]["used"] == 0
    assert linked["rows"] == []


def test_the_cost_of_a_balance_does_not_grow_with_the_fleet(scene: Scene, door: Door) -> None:
    """The database does the same work for one site, however many others there are."""
    scene.enter(declared(), received(8))
    host = scene.host("johor", "a", at=START)
    scene.seen(host, *eight("a"), since=START)
    alone = _work(scene, door)
    for number in range(20):
        other = party(f"other-{number}", "AE")
        site = f"site-{number}"
        scene.enter(declared(site_of(site, country="AE", owner=other)), received(8, site=site))
        host = scene.host(site, site, at=START)
        scene.seen(host, *eight(site), since=START)
    row(door)  # takes up once what was written since the question before

    assert _work(scene, door) <= alone * 1.05


def test_the_cost_of_a_balance_does_not_grow_with_its_family(scene: Scene, door: Door) -> None:
    """Nor does it with the sites of the same parent, of which nothing has changed."""
    scene.enter(declared(), lpp(), received(8))
    host = scene.host("johor", "a", at=START)
    scene.seen(host, *eight("a"), since=START)
    row(door)
    alone = _work(scene, door)
    for number in range(20):
        site = f"site-{number}"
        scene.enter(declared(site_of(site)), received(8, site=site))
        scene.seen(scene.host(site, site, at=START), *eight(site), since=START)
    row(door)  # asks the others once

    assert _work(scene, door) <= alone * 1.05


def test_the_cost_of_a_balance_does_not_grow_with_what_others_once_claimed(
    scene: Scene, door: Door
) -> None:
    """A host that took the chips for an hour, again and again, costs the site no more for it."""
    elsewhere = declared(site_of("muar", owner=party("other", "MY")))
    scene.enter(declared(), elsewhere, received(8))
    host, other = scene.host("johor", "a", at=START), scene.host("muar", "b", at=START)
    scene.seen(host, *eight("a"), since=START)
    for hour in range(2):
        scene.seen(other, *eight("a"), since=START + hour * HOUR, until=START + hour * HOUR + 1)
    before = row(door)
    once = _work(scene, door)
    for hour in range(2, 100):
        scene.seen(other, *eight("a"), since=START + hour * HOUR, until=START + hour * HOUR + 1)

    assert row(door) == before
    assert _work(scene, door) <= once * 1.05


def test_a_later_sighting_elsewhere_is_found_among_many_earlier_ones(
    scene: Scene, door: Door
) -> None:
    """What cannot outweigh a claim is left out; what can is not, at any time."""
    scene.enter(declared(), declared(site_of("muar")), received(8))
    host, other = scene.host("johor", "a", at=START), scene.host("muar", "b", at=START)
    until = START + 10 * HOUR
    scene.seen(host, *eight("a"), since=START, until=until)
    for hour in (1, 2, 12):
        scene.seen(other, *eight("a"), since=START + hour * HOUR, until=START + hour * HOUR + 1)

    assert row(door)["present"]["G1"] == 0
    assert row(door, as_of=until)["present"]["G1"] == 8
    assert row(door, as_of=START + 12 * HOUR)["silent"] == 0


def _work(scene: Scene, door: Door) -> int:
    """Return how many instructions of its virtual machine SQLite runs for one balance."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    def watch(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_progress_handler(step, 1)

    door.token(Role.AUDITOR)  # added before anything is counted
    listen.listen(scene.engine, "checkout", watch)
    try:
        door.read("/sites/johor/balance")
    finally:
        listen.remove(scene.engine, "checkout", watch)
    return steps
