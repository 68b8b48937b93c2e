"""What the doors read of a host when its key is first used after a start."""

from chipledger_evidence.codec import b64url_decode
from chipledger_server.adapters.keys import MOST_SENT, SqliteKeys
from chipledger_testing.collector_inside import CollectorInside
from chipledger_testing.hosts import SimulatedHost, chip_of, inventory_of


def work(inside: CollectorInside, kid: str) -> int:
    """Return how many instructions of its virtual machine SQLite runs to find a key."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    inside.connection.set_progress_handler(step, 1)
    assert SqliteKeys(inside.connection).find(kid) is not None
    inside.connection.set_progress_handler(None, 0)
    return steps


def runs(inside: CollectorInside, host: SimulatedHost, places: range) -> None:
    """Write runs of a host that ended long ago, as a host makes that changes every hour."""
    for place in places:
        inside.connection.execute(
            "INSERT INTO presence (host, site, inventory, since_ms, until_ms) VALUES (?,?,?,?,?)",
            (host.host, host.site, b64url_decode(host.inv), place, place),
        )


def test_what_a_start_costs_does_not_grow_with_a_hosts_history(inside: CollectorInside) -> None:
    """A host that changes its inventory for years is known as fast as another."""
    host = inside.enrol("a")
    inside.report(inside.full(host))
    kid = host.signer.public.kid
    runs(inside, host, range(MOST_SENT))
    before = work(inside, kid)
    runs(inside, host, range(MOST_SENT, 21 * MOST_SENT))
    assert work(inside, kid) <= before * 1.05


def test_an_inventory_of_late_is_known_after_a_start(inside: CollectorInside) -> None:
    """A heartbeat that names it needs no full report, the one before included."""
    host = inside.enrol("a")
    first = host.inv
    inside.report(inside.full(host))
    host.inventory = inventory_of(chip_of("a", 0))
    inside.report(inside.full(host))
    known = SqliteKeys(inside.connection).find(host.signer.public.kid)
    assert known is not None
    assert set(known.inventories) == {first, host.inv}
