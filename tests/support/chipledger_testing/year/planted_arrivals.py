"""Diversions on the way in: what is bought, sent or received and does not come to stand there."""

from chipledger_book.events import LicenceGranted, event_id
from chipledger_book.licences import Licence, LicenceLine, LicenceType, QuantityUnit
from chipledger_book.movements import (
    ExternalRecord,
    ReceiptDifference,
    ShipmentDeclared,
    Stored,
    Unstored,
)
from chipledger_book.watch.diversions import Help
from chipledger_testing.book import PAPER
from chipledger_testing.year.planting import ACT, Planted, Plot, days, diverts, number_of
from chipledger_testing.year.things import END, FIRST_DAY, Server
from chipledger_testing.year.world import VENDOR

CONSIGNEES_EACH = 86
"""B200 servers that stay just under the exception's limit."""
TRAYS_EACH = 19


@diverts("dummies-received")
@diverts("signed-by-a-forwarder")
def dummies_received(plot: Plot) -> Planted:
    """Receive servers that never answer."""
    servers = plot.fresh()
    plot.world.receive(plot.plan.name, servers, ACT, declared_ms=ACT - days(9))
    number = number_of(servers)
    return Planted(pieces=number, balance={(plot.plan.name, "unaccounted"): number})


def _stored(plot: Plot, at_ms: int) -> tuple[tuple[Server, ...], Stored]:
    servers = plot.fresh()
    plot.world.receive(plot.plan.name, servers, at_ms)
    stored = plot.world.say(
        Stored(
            occurred_at_ms=at_ms,
            site=plot.plan.name,
            lines=plot.world.whole(plot.plan.name, servers),
            place="cage 9",
            seal="seal-9",
        )
    )
    return servers, stored


@diverts("stored-then-gone")
def stored_then_gone(plot: Plot) -> Planted:
    """Receive, store, and carry out; an inspection finds the seal broken."""
    servers, stored = _stored(plot, ACT)
    number, site = number_of(servers), plot.plan.name
    if plot.given is not Help.INSPECTION:
        return Planted(pieces=number, balance={(site, "stored"): number})
    opened = ACT + days(20)
    plot.world.say(
        Unstored(occurred_at_ms=opened, site=site, answers=event_id(stored), seal_found="broken")
    )
    return Planted(since_ms=opened, pieces=number, balance={(site, "unaccounted"): number})


@diverts("stock-between-counts")
def stock_between_counts(plot: Plot) -> Planted:
    """Store boxes late in the year, and empty them."""
    _stored(plot, END - days(100))
    return Planted()


def _record(plot: Plot, servers: tuple[Server, ...], *, consignee: str, site: str | None) -> None:
    if plot.given is Help.FEED:
        plot.world.say(
            ExternalRecord(
                occurred_at_ms=ACT,
                source="customs",
                feed="customs",
                reference="R-1",
                lines=plot.world.whole(plot.plan.name, servers),
                site=site,
                consignee=consignee,
                country="SG",
            )
        )


@diverts("sold-and-never-received")
def sold_and_never_received(plot: Plot) -> Planted:
    """Sell servers to a consignee that enters nothing."""
    servers = plot.fresh()
    _record(plot, servers, consignee=plot.plan.site.consignee.id, site=None)
    return Planted(pieces=number_of(servers))


@diverts("imported-beyond-receipts")
def imported_beyond_receipts(plot: Plot) -> Planted:
    """Import three servers, and receive one."""
    servers, site = plot.fresh(3), plot.plan.name
    if plot.given is Help.FEED:
        plot.world.receive(site, servers[:1], ACT)
        plot.world.set_up(servers[0], site, ACT)
    _record(plot, servers, consignee=plot.plan.site.consignee.id, site=site)
    return Planted(pieces=number_of(servers[1:]))


@diverts("straw-buyer")
def straw_buyer(plot: Plot) -> Planted:
    """Sell servers to somebody whom the ledger does not know."""
    servers = plot.fresh()
    _record(plot, servers, consignee="straw-trading", site=None)
    return Planted(pieces=number_of(servers))


def _declared(plot: Plot, servers: tuple[Server, ...], at_ms: int) -> ShipmentDeclared:
    return plot.world.say(
        ShipmentDeclared(
            occurred_at_ms=at_ms,
            site=plot.plan.name,
            lines=plot.world.whole(plot.plan.name, servers),
            shipper=VENDOR,
            shipment="AWB 7",
        )
    )


@diverts("shipment-never-received")
def shipment_never_received(plot: Plot) -> Planted:
    """Declare a shipment that nobody receives."""
    servers = plot.fresh()
    _declared(plot, servers, ACT)
    return Planted(pieces=number_of(servers))


@diverts("short-delivery")
def short_delivery(plot: Plot) -> Planted:
    """Receive one of two servers, and say that the other is missing."""
    servers, site, world = plot.fresh(), plot.plan.name, plot.world
    first = _declared(plot, servers, ACT - days(5))
    world.receive(site, servers[:1], ACT, answers=first)
    world.set_up(servers[0], site, ACT)
    world.say(
        ReceiptDifference(
            occurred_at_ms=ACT,
            site=site,
            answers=event_id(first),
            missing=world.whole(site, servers[1:]),
        )
    )
    return Planted(pieces=number_of(servers[1:]))


@diverts("more-received-than-shipped")
def more_received_than_shipped(plot: Plot) -> Planted:
    """Receive two servers for one that was declared."""
    servers, site, world = plot.fresh(), plot.plan.name, plot.world
    first = _declared(plot, servers[:1], ACT - days(5))
    world.receive(site, servers, ACT, answers=first)
    for server in servers:
        world.set_up(server, site, ACT)
    return Planted(pieces=number_of(servers[1:]))


@diverts("another-site-enrols")
def another_site_enrols(plot: Plot) -> Planted:
    """Receive servers at one site, and start them at another."""
    servers, site, other = plot.fresh(1), plot.plan.name, plot.other.name
    plot.world.receive(site, servers, ACT - days(1))
    plot.world.set_up(servers[0], other, ACT)
    number = number_of(servers)
    return Planted(
        pieces=number,
        chips=servers[0].chips,
        balance={(site, "unaccounted"): number, (other, "overage"): number},
    )


def _grant(plot: Plot, number: str, kind: LicenceType, consignee: str, *lines: LicenceLine) -> None:
    plot.both(
        LicenceGranted(
            occurred_at_ms=ACT - days(60),
            licence=Licence(
                issuer="BIS",
                number=number,
                type=kind,
                consignee=consignee,
                valid_from=FIRST_DAY,
                valid_to=FIRST_DAY.replace(year=2028),
                source=PAPER,
                lines=lines,
            ),
        )
    )


def _arrive(plot: Plot, site: str, servers: tuple[Server, ...], at_ms: int) -> None:
    plot.world.receive(site, servers, at_ms, licence=None)
    for server in servers:
        plot.world.set_up(server, site, at_ms)


@diverts("structured-by-consignees")
def structured_by_consignees(plot: Plot) -> Planted:
    """Let two consignees of a parent receive just under the limit of an exception each."""
    pieces = 0
    for plan in (plot.plan, plot.other):
        consignee = plan.site.consignee.id
        _grant(plot, f"LPP-{consignee}", LicenceType.LPP, consignee)
        servers = plot.fresh(CONSIGNEES_EACH, model="HGX-B200-8")
        _arrive(plot, plan.name, servers, ACT)
        pieces += number_of(servers)
    return Planted(pieces=pieces)


@diverts("structured-by-shipments")
def structured_by_shipments(plot: Plot) -> Planted:
    """Let three shipments each stay just under the quantity that has to be notified."""
    consignee, pieces = plot.plan.site.consignee.id, 0
    _grant(plot, f"LPP-{consignee}", LicenceType.LPP, consignee)
    for ago in (40, 20, 0):
        servers = plot.fresh(TRAYS_EACH, model="GB200-TRAY")
        _arrive(plot, plot.plan.name, servers, ACT - days(ago))
        pieces += number_of(servers)
    return Planted(pieces=pieces)


@diverts("over-the-cap")
def over_the_cap(plot: Plot) -> Planted:
    """Receive two servers under a licence for one."""
    site = plot.plan.name
    servers = plot.fresh()
    sku, room = servers[0].chips[0].sku, len(servers[0].chips)
    line = LicenceLine(sku=sku, unit=QuantityUnit.PIECES, amount=room)
    _grant(plot, "L-9", LicenceType.LICENCE, plot.plan.site.consignee.id, line)
    plot.world.receive(site, servers, ACT, licence="L-9")
    for server in servers:
        plot.world.set_up(server, site, ACT)
    return Planted(pieces=number_of(servers[1:]))


@diverts("received-unlicensed")
def received_unlicensed(plot: Plot) -> Planted:
    """Receive a server that nothing allows."""
    servers = plot.fresh(1, model="HGX-A800-8-80GB")
    _arrive(plot, plot.plan.name, servers, ACT)
    return Planted(pieces=number_of(servers))


@diverts("fake-extra-chips")
def fake_extra_chips(plot: Plot) -> Planted:
    """Show a server that was never received."""
    (server,) = plot.fresh(1)
    plot.world.set_up(server, plot.plan.name, ACT)
    number = len(server.chips)
    return Planted(pieces=number, chips=server.chips, balance={(plot.plan.name, "overage"): number})


@diverts("never-on-paper")
@diverts("sold-and-imitated")
@diverts("relayed")
@diverts("used-by-others")
def unseen(plot: Plot) -> Planted:
    """Do what neither papers nor reports show: nothing changes but the truth."""
    chips = plot.fresh(1)[0].chips
    plot.world.bring(chips, "nobody knows", ACT)
    return Planted()
