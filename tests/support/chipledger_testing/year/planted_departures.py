"""Diversions of what once answered: pulled, sold, sent off on paper, lent, driven about."""

from chipledger_book.events import Role, event_id
from chipledger_book.movements import (
    Destroyed,
    LostOrStolen,
    MaintenanceWindow,
    PhysicalInventory,
    RmaIn,
    RmaOut,
    Shipped,
    TransferOut,
    Witness,
)
from chipledger_testing.book import PAPER, ms
from chipledger_testing.year.planting import ACT, Planted, Plot, days, diverts
from chipledger_testing.year.things import Chip
from chipledger_testing.year.world import VENDOR, hours

RETURNS = 26
LARGE = 125
"""Servers that make a site one of a thousand chips and more."""


def _pulled(plot: Plot, at_ms: int, number: int = 2) -> tuple[Chip, ...]:
    """Pull chips out of a host that reports on."""
    (host,) = plot.quiet()
    chips = tuple(plot.world.inside[host][:number])
    for chip in chips:
        plot.world.pull(chip, at_ms)
    return chips


def _here(plot: Plot, chips: tuple[Chip, ...], column: str) -> dict[tuple[str, str], int]:
    return {(plot.plan.name, column): len(chips)}


@diverts("modules-pulled")
def modules_pulled(plot: Plot) -> Planted:
    """Pull two modules."""
    chips = _pulled(plot, ACT)
    return Planted(pieces=2, chips=chips, balance=_here(plot, chips, "unaccounted"))


@diverts("servers-sold")
def servers_sold(plot: Plot) -> Planted:
    """Switch a server off for good."""
    (host,) = plot.quiet()
    chips = plot.world.take_down(host, ACT)
    return Planted(pieces=len(chips), chips=chips, balance=_here(plot, chips, "silent"))


def _sent_back(plot: Plot, chips: tuple[Chip, ...], at_ms: int) -> RmaOut:
    return plot.world.say(
        RmaOut(
            occurred_at_ms=at_ms,
            site=plot.plan.name,
            lines=plot.world.lines(plot.plan.name, chips),
            vendor=VENDOR,
            case=f"X-{chips[0].number}",
        )
    )


def _replaced(plot: Plot, out: RmaOut, chips: tuple[Chip, ...], at_ms: int) -> tuple[Chip, ...]:
    """Let the vendor confirm, and others come and be started in the same host."""
    world = plot.world
    world.confirm(out, Role.VENDOR, VENDOR, at_ms=at_ms - days(2))
    others = tuple(world.maker.chip(chip.sku) for chip in chips)
    world.say(
        RmaIn(
            occurred_at_ms=at_ms,
            site=plot.plan.name,
            lines=world.lines(plot.plan.name, others),
            vendor=VENDOR,
            case=out.case,
            answers=event_id(out),
        )
    )
    for chip, other in zip(chips, others, strict=True):
        world.plug(other, world.spells[chip][-1].host, at_ms + hours(1))
    return others


@diverts("rma-never-confirmed")
def rma_never_confirmed(plot: Plot) -> Planted:
    """Say that chips went to the vendor, who knows nothing of it."""
    chips = _pulled(plot, ACT)
    _sent_back(plot, chips, ACT)
    return Planted(pieces=2, balance=_here(plot, chips, "unaccounted"))


@diverts("rma-never-returned")
def rma_never_returned(plot: Plot) -> Planted:
    """Let the vendor have chips and send none."""
    chips = _pulled(plot, ACT)
    out = _sent_back(plot, chips, ACT)
    plot.world.confirm(out, Role.VENDOR, VENDOR, at_ms=ACT + days(5))
    return Planted(pieces=2)


@diverts("rma-with-a-vendor")
def rma_with_a_vendor(plot: Plot) -> Planted:
    """Let the vendor say so, and send another."""
    chips = _pulled(plot, ACT, 1)
    _replaced(plot, _sent_back(plot, chips, ACT), chips, ACT + days(12))
    return Planted()


@diverts("rma-unreleased")
def rma_unreleased(plot: Plot) -> Planted:
    """Let chips that were replaced answer again."""
    chips = _pulled(plot, ACT - days(20))
    _replaced(plot, _sent_back(plot, chips, ACT - days(20)), chips, ACT - days(8))
    (host,) = plot.quiet()
    for chip in chips:
        plot.world.plug(chip, host, ACT)
    return Planted(pieces=2, chips=chips, balance=_here(plot, chips, "overage"))


@diverts("rma-rate-doubled")
def rma_rate_doubled(plot: Plot) -> Planted:
    """Send back twice as many as fail, at a large site."""
    world, site = plot.world, plot.plan.name
    servers = world.maker.servers("L40S-SERVER-8", LARGE)
    for each in (world, plot.twin):
        each.receive(site, servers, ACT - days(100))
        for server in servers:
            each.set_up(server, site, ACT - days(100))
    chips = tuple(server.chips[0] for server in servers[:RETURNS])
    for chip in chips:
        world.pull(chip, ACT)
    _replaced(plot, _sent_back(plot, chips, ACT), chips, ACT + days(6))
    return Planted()


@diverts("transfer-never-arrives")
def transfer_never_arrives(plot: Plot) -> Planted:
    """Send a server to another site, where it does not arrive."""
    (host,) = plot.quiet()
    server = plot.world.servers[host]
    chips = plot.world.take_down(host, ACT)
    plot.world.say(
        TransferOut(
            occurred_at_ms=ACT,
            site=plot.plan.name,
            to_site=plot.other.name,
            lines=plot.world.whole(plot.plan.name, [server]),
        )
    )
    return Planted(pieces=len(chips))


def _shipped(plot: Plot, host: str, at_ms: int, *, late_ms: int = 0) -> None:
    out = plot.world.say(
        Shipped(
            occurred_at_ms=at_ms,
            site=plot.plan.name,
            lines=plot.world.whole(plot.plan.name, [plot.world.servers[host]]),
            consignee="buyer",
            country="SG",
        ),
        late_ms=late_ms,
    )
    plot.world.confirm(out, Role.CONSIGNEE, "buyer", at_ms=at_ms + days(5), late_ms=late_ms)


@diverts("shipped-on-paper")
def shipped_on_paper(plot: Plot) -> Planted:
    """Export a server on paper, and run it on."""
    (host,) = plot.quiet()
    _shipped(plot, host, ACT)
    chips = tuple(plot.world.inside[host])
    return Planted(pieces=len(chips), balance=_here(plot, chips, "overage"))


@diverts("destroyed-on-paper")
def destroyed_on_paper(plot: Plot) -> Planted:
    """Destroy a server on paper, and run it on."""
    (host,) = plot.quiet()
    plot.world.say(
        Destroyed(
            occurred_at_ms=ACT,
            site=plot.plan.name,
            lines=plot.world.whole(plot.plan.name, [plot.world.servers[host]]),
            witness=Witness(name="W. Itness", party="recycler"),
            documents=(PAPER,),
        )
    )
    chips = tuple(plot.world.inside[host])
    return Planted(pieces=len(chips), balance=_here(plot, chips, "overage"))


@diverts("reported-stolen")
def reported_stolen(plot: Plot) -> Planted:
    """Report as stolen what was sold."""
    chips = _pulled(plot, ACT - hours(6))
    plot.world.say(
        LostOrStolen(
            occurred_at_ms=ACT,
            site=plot.plan.name,
            lines=plot.world.lines(plot.plan.name, chips),
            how="stolen",
            reported_to="police 17/26",
        )
    )
    return Planted(pieces=2, balance=_here(plot, chips, "unaccounted"))


@diverts("covered-by-backdating")
def covered_by_backdating(plot: Plot) -> Planted:
    """Sell a server, sign the quarter, and date its export back into it."""
    (host,) = plot.quiet()
    happened = ms(2026, 3, 25)
    chips = plot.world.take_down(host, happened)
    _shipped(plot, host, happened, late_ms=ACT - happened)
    return Planted(pieces=len(chips))


@diverts("borrowed-for-a-count")
def borrowed_for_a_count(plot: Plot) -> Planted:
    """Start a borrowed server for a count, and give it back."""
    site = plot.plan.name
    (server,) = plot.fresh(1)
    plot.both(
        PhysicalInventory(
            occurred_at_ms=ACT - days(3), site=site, inspector="A. Uditor", method="full"
        )
    )
    plot.world.set_up(server, site, ACT - days(6))
    for chip in server.chips:
        plot.world.pull(chip, ACT)
    return Planted(pieces=len(server.chips), chips=server.chips)


@diverts("shuttled-between-sites")
def shuttled_between_sites(plot: Plot) -> Planted:
    """Drive the chips of a server to another site, and back."""
    world = plot.world
    (host,) = plot.quiet()
    chips = tuple(world.inside[host])
    (shell,) = plot.fresh(1)
    away = world.set_up(shell, plot.other.name, ACT - days(8))
    for chip in tuple(shell.chips):
        world.pull(chip, ACT - days(8))
        del world.spells[chip]
    for chip in chips:
        world.pull(chip, ACT - days(10))
        world.plug(chip, away, ACT - days(8))
        world.pull(chip, ACT - days(2))
        world.plug(chip, host, ACT)
    return Planted(pieces=len(chips), chips=chips)


@diverts("absent-under-maintenance")
def absent_under_maintenance(plot: Plot) -> Planted:
    """Lend a server three times, each time under a window."""
    (host,) = plot.quiet()
    for start in (ACT - days(20), ACT - days(10), ACT):
        plot.world.hosts[host].down.append((start, start + hours(71)))
        plot.world.say(
            MaintenanceWindow(
                occurred_at_ms=start,
                site=plot.plan.name,
                hosts=(host,),
                from_ms=start,
                until_ms=start + hours(71),
                ticket="T-9",
            )
        )
    return Planted()
