"""Honest returns to the vendor: chips that fail, and what comes for them."""

from dataclasses import dataclass
from typing import Final

from chipledger_book.events import Role, event_id
from chipledger_book.movements import RmaIn, RmaOut
from chipledger_testing.year.agenda import Agenda
from chipledger_testing.year.things import END, START, Chip, Plan
from chipledger_testing.year.world import VENDOR, hours

RATE_PERCENT: Final = 4
REPAIRED_PERCENT: Final = 15
SLOW_VENDOR_PERCENT: Final = 8
"""Of a hundred returns the vendor confirms so many only after three weeks and more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One chip that failed."""

    plan: Plan
    chip: Chip
    host: str
    out: RmaOut
    entered_ms: int


def plan_failures(agenda: Agenda, plan: Plan, chips: int) -> None:
    """Let four of a hundred chips of a site fail in the year, whenever."""
    for _ in range(chips):
        if agenda.likely(RATE_PERCENT):
            agenda.at(START + agenda.rng.randrange(END - START), lambda at: _fail(agenda, plan, at))


def _fail(agenda: Agenda, plan: Plan, at_ms: int) -> None:
    world = agenda.world
    hosts = [
        name
        for name, host in world.hosts.items()
        if host.site == plan.name and host.until_ms > at_ms and world.inside[name]
    ]
    host = agenda.rng.choice(hosts)
    chip = agenda.rng.choice(world.inside[host])
    world.touched.add(host)
    world.pull(chip, at_ms)
    world.hosts[host].down.append((at_ms, at_ms + hours(agenda.rng.randint(1, 6))))
    agenda.at(at_ms + agenda.days(0, 4), lambda at: _send(agenda, plan, (chip, host), at))


def _send(agenda: Agenda, plan: Plan, failed: tuple[Chip, str], at_ms: int) -> None:
    world, (chip, host) = agenda.world, failed
    out = RmaOut(
        occurred_at_ms=at_ms,
        site=plan.name,
        lines=world.lines(plan.name, [chip]),
        vendor=VENDOR,
        case=f"C-{chip.number}-{at_ms // 1000}",
    )
    late = agenda.clerk_ms()
    world.say(out, late_ms=late)
    world.bring([chip], "vendor", at_ms)
    case = _Case(plan=plan, chip=chip, host=host, out=out, entered_ms=at_ms + late)
    slow = agenda.likely(SLOW_VENDOR_PERCENT)
    took = agenda.days(22, 50) if slow else agenda.days(3, 18)
    world.confirm(
        out,
        Role.VENDOR,
        VENDOR,
        at_ms=at_ms + took,
        late_ms=max(0, case.entered_ms - at_ms - took) + agenda.days(0, 2),
    )
    agenda.at(at_ms + agenda.days(8, 40), lambda at: _return(agenda, case, at))


def _return(agenda: Agenda, case: _Case, at_ms: int) -> None:
    """Let the repaired chip, or another of its model, come back, and start it."""
    world, site = agenda.world, case.plan.name
    same = agenda.likely(REPAIRED_PERCENT)
    chip = case.chip if same else world.maker.chip(case.chip.sku)
    late = max(agenda.clerk_ms(), case.entered_ms + hours(1) - at_ms)
    world.say(
        RmaIn(
            occurred_at_ms=at_ms,
            site=site,
            lines=world.lines(site, [chip]),
            vendor=VENDOR,
            case=case.out.case,
            answers=event_id(case.out),
        ),
        late_ms=late,
    )
    world.bring([chip], site, at_ms)
    agenda.at(at_ms + agenda.days(0, 5), lambda at: _start(agenda, (chip, case.host), at))


def _start(agenda: Agenda, placed: tuple[Chip, str], at_ms: int) -> None:
    world, (chip, host) = agenda.world, placed
    if world.hosts[host].until_ms <= at_ms:  # the server left since: the chip goes into another
        site, sku = world.hosts[host].site, chip.sku
        host = next(
            name
            for name, other in world.hosts.items()
            if other.site == site
            and other.until_ms > at_ms
            and world.servers[name].chips[0].sku == sku
        )
        world.touched.add(host)
    world.plug(chip, host, at_ms)
