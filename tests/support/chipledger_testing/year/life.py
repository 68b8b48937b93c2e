"""What else honestly happens: deliveries, stock, moves, transfers, exports, disposals, outages."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from chipledger_book.events import Role, event_id
from chipledger_book.movements import (
    AttestedChip,
    Destroyed,
    ExternalRecord,
    MaintenanceWindow,
    Moved,
    Shipped,
    Stored,
    TransferIn,
    TransferOut,
    Unstored,
    Witness,
)
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.book import PAPER
from chipledger_testing.year.agenda import Agenda, day_ms
from chipledger_testing.year.things import END, PROLOGUE, START, Chip, Plan, Server, chips_of
from chipledger_testing.year.world import hours

BATCH: Final = 16
"""Servers of one delivery."""
STORED_PERCENT: Final = 15
DIGEST: Final = "A" * 43


def deliver(agenda: Agenda, plan: Plan, servers: Sequence[Server], at_ms: int) -> None:
    """Let servers be declared, arrive, be recorded by customs, and be set up or stored."""
    world = agenda.world
    ahead = agenda.days(3, 20)
    event = world.receive(
        plan.name, servers, at_ms, declared_ms=at_ms - ahead, late_ms=agenda.clerk_ms()
    )
    world.bring(chips_of(servers), plan.name, at_ms)
    if plan.feed:
        world.say(
            ExternalRecord(
                occurred_at_ms=at_ms - agenda.days(0, 3),
                source="customs",
                feed="customs",
                reference=f"CU-{servers[0].serial}",
                lines=event.lines,
                site=plan.name,
                consignee=plan.site.consignee.id,
                country=plan.site.country,
            ),
            late_ms=agenda.days(3, 12),
        )
    if at_ms > START and agenda.likely(STORED_PERCENT):
        store(agenda, plan, servers, at_ms)
        return
    for server in servers:
        agenda.at(at_ms + agenda.days(1, 25), partial(_start, agenda, plan, server))


def _start(agenda: Agenda, plan: Plan, server: Server, at_ms: int) -> None:
    agenda.world.set_up(server, plan.name, at_ms)


def store(agenda: Agenda, plan: Plan, servers: Sequence[Server], at_ms: int) -> None:
    """Let servers rest under seal for a while, and be set up then."""
    world, since = agenda.world, at_ms + agenda.days(0, 2)
    stored = Stored(
        occurred_at_ms=since,
        site=plan.name,
        lines=world.whole(plan.name, servers),
        place="cage 1",
        seal=f"seal-{servers[0].serial}",
    )
    world.say(stored, late_ms=agenda.days(12, 14))
    ends = since + agenda.days(20, 110)
    world.say(
        Unstored(
            occurred_at_ms=ends, site=plan.name, answers=event_id(stored), seal_found="intact"
        ),
        late_ms=agenda.days(0, 3),
    )
    for server in servers:
        agenda.at(ends + agenda.days(0, 6), partial(_start, agenda, plan, server))


def plan_deliveries(agenda: Agenda, plan: Plan) -> None:
    """Let what a site has at first come before the year, and some more in it."""
    for model in plan.models:
        left = plan.servers
        while left:
            number = min(left, BATCH)
            servers = agenda.world.maker.servers(model, number)
            at_ms = PROLOGUE + day_ms(21) + agenda.days(0, 70)
            agenda.at(at_ms, partial(deliver, agenda, plan, servers))
            left -= number
    for _ in range(4):
        model = agenda.rng.choice(plan.models)
        servers = agenda.world.maker.servers(model, max(1, plan.servers // 8))
        at_ms = START + day_ms(25) + agenda.days(0, 300)
        agenda.at(at_ms, partial(deliver, agenda, plan, servers))


def running(agenda: Agenda, plan: Plan, at_ms: int) -> list[str]:
    """Return the hosts of a site that run at a time and to which nothing happened yet."""
    world = agenda.world
    return [
        name
        for name, host in world.hosts.items()
        if host.site == plan.name
        and host.from_ms < at_ms < host.until_ms
        and name not in world.touched
    ]


def move(agenda: Agenda, plan: Plan, at_ms: int) -> None:
    """Let two chips of two hosts change places; the collector says so, the operator mostly too."""
    world, hosts = agenda.world, running(agenda, plan, at_ms)
    first = agenda.rng.choice(hosts)
    sku = world.servers[first].chips[0].sku
    others = [name for name in hosts if world.servers[name].chips[0].sku == sku and name != first]
    if not others:
        return
    second = agenda.rng.choice(others)
    world.touched.update((first, second))
    back = at_ms + hours(3)
    pairs = ((world.inside[first][0], first, second), (world.inside[second][0], second, first))
    for chip, origin, _ in pairs:
        world.pull(chip, at_ms)
        world.hosts[origin].down.append((at_ms, back))
    for chip, origin, target in pairs:
        world.plug(chip, target, back)
        moved = world.say(_moved(plan, chip, (origin, target), back))
        if agenda.likely(90):
            world.confirm(
                moved, Role.OPERATOR, plan.site.operator.id, at_ms=back + agenda.days(0, 2)
            )


def _moved(plan: Plan, chip: Chip, way: tuple[str, str], at_ms: int) -> Moved:
    seen = AttestedChip(grade=Grade.G1, uuid=chip.uuid, serial=chip.board, sku=chip.sku)
    return Moved(
        occurred_at_ms=at_ms,
        site=plan.name,
        from_host=way[0],
        host=way[1],
        token=DIGEST,
        chips=(seen,),
    )


def transfer(agenda: Agenda, plan: Plan, at_ms: int) -> None:
    """Let one or two servers go to another site of the group."""
    world = agenda.world
    others = [one for one in world.plans if one.site.ultimate_parent == plan.site.ultimate_parent]
    others.remove(plan)
    hosts = running(agenda, plan, at_ms)[:1]
    if not others or not hosts:
        return
    target, server = agenda.rng.choice(others), world.servers[hosts[0]]
    world.touched.add(hosts[0])
    world.take_down(hosts[0], at_ms)
    late, way = agenda.clerk_ms(), agenda.days(1, 8)
    out = world.say(
        TransferOut(
            occurred_at_ms=at_ms,
            site=plan.name,
            to_site=target.name,
            lines=world.whole(plan.name, [server]),
        ),
        late_ms=late,
    )
    arrives = at_ms + way
    world.bring(server.chips, "lorry", at_ms)
    world.bring(server.chips, target.name, arrives)
    world.say(
        TransferIn(
            occurred_at_ms=arrives,
            site=target.name,
            from_site=plan.name,
            lines=world.whole(target.name, [server]),
            answers=event_id(out),
        ),
        late_ms=max(agenda.clerk_ms(), at_ms + late + hours(1) - arrives),
    )
    host = f"{target.name}-{server.serial}"
    agenda.at(
        arrives + agenda.days(1, 5), lambda at: _arrive(agenda, (server, target.name, host), at)
    )


def _arrive(agenda: Agenda, what: tuple[Server, str, str], at_ms: int) -> None:
    server, site, host = what
    agenda.world.set_up(server, site, at_ms, name=host)
    agenda.world.touched.add(host)


def export(agenda: Agenda, plan: Plan, at_ms: int) -> None:
    """Let a server be sold to somebody outside, who says so."""
    world, hosts = agenda.world, running(agenda, plan, at_ms)[:1]
    if hosts:
        server = world.servers[hosts[0]]
        world.touched.add(hosts[0])
        world.take_down(hosts[0], at_ms)
        world.bring(server.chips, "buyer", at_ms)
        late = agenda.clerk_ms()
        out = world.say(
            Shipped(
                occurred_at_ms=at_ms,
                site=plan.name,
                lines=world.whole(plan.name, [server]),
                consignee="buyer",
                country="SG",
            ),
            late_ms=late,
        )
        world.confirm(out, Role.CONSIGNEE, "buyer", at_ms=at_ms + agenda.days(5, 40), late_ms=late)


def scrap(agenda: Agenda, plan: Plan, at_ms: int) -> None:
    """Let an old server be destroyed before a witness."""
    world, hosts = agenda.world, running(agenda, plan, at_ms)[:1]
    if hosts:
        server = world.servers[hosts[0]]
        world.touched.add(hosts[0])
        world.take_down(hosts[0], at_ms)
        gone = at_ms + agenda.days(0, 6)
        world.bring(server.chips, "scrap", gone)
        world.say(
            Destroyed(
                occurred_at_ms=gone,
                site=plan.name,
                lines=world.whole(plan.name, [server]),
                witness=Witness(name="W. Itness", party="recycler"),
                documents=(PAPER,),
            ),
            late_ms=agenda.clerk_ms(),
        )


def plan_outages(agenda: Agenda, plan: Plan) -> None:
    """Let hosts fail for hours and some for days, and the whole site once."""
    agenda.at(START, lambda at: _outages(agenda, plan, at))


def _outages(agenda: Agenda, plan: Plan, at_ms: int) -> None:
    world = agenda.world
    hosts = [name for name, host in world.hosts.items() if host.site == plan.name]
    for name in hosts:
        for _ in range(2):
            begins = at_ms + agenda.rng.randrange(END - START - day_ms(20))
            length = agenda.days(3, 12) if agenda.likely(3) else hours(agenda.rng.randint(1, 30))
            world.hosts[name].down.append((begins, begins + length))
    window = at_ms + agenda.rng.randrange(END - START - day_ms(20))
    length = hours(agenda.rng.randint(3, 60))
    for name in hosts:
        world.hosts[name].down.append((window, window + length))
    if hosts:
        world.say(
            MaintenanceWindow(
                occurred_at_ms=window,
                site=plan.name,
                hosts=tuple(sorted(hosts)[:8]),
                from_ms=window,
                until_ms=window + min(length, hours(71)),
                ticket="T-1",
            )
        )
