"""The whole honest year."""

from datetime import date, timedelta
from functools import partial
from random import Random

from chipledger_book.movements import PhysicalInventory, SignedOff
from chipledger_testing.book import ms
from chipledger_testing.year.agenda import Agenda, day_ms
from chipledger_testing.year.life import (
    DIGEST,
    export,
    move,
    plan_deliveries,
    plan_outages,
    scrap,
    transfer,
)
from chipledger_testing.year.returns import plan_failures
from chipledger_testing.year.things import END, START, Plan, Scale, unit
from chipledger_testing.year.world import World, begin, hours


def honest_year(scale: Scale, seed: int) -> World:
    """Return a year in which nobody diverts anything."""
    world = World(plans=scale.plans())
    agenda = Agenda(world=world, rng=Random(seed))  # noqa: S311 - a story, no secret
    begin(world)
    for _ in range(3):
        begins = START + agenda.rng.randrange(END - START)
        world.downtime.append((begins, begins + hours(agenda.rng.randint(2, 30))))
    for plan in world.plans:
        plan_deliveries(agenda, plan)
        _plan_site(agenda, plan)
        _plan_auditor(agenda, plan)
    agenda.run()
    return world


def _plan_site(agenda: Agenda, plan: Plan) -> None:
    chips = sum(plan.servers * unit(model).packages for model in plan.models)
    plan_failures(agenda, plan, chips)
    plan_outages(agenda, plan)
    acts = [(move, max(2, chips // 50)), (transfer, 2), (export, 1), (scrap, 1)]
    for act, number in acts:
        for _ in range(number):
            at_ms = START + day_ms(5) + agenda.rng.randrange(END - START - day_ms(40))
            agenda.at(at_ms, partial(act, agenda, plan))
    if agenda.likely(50):
        agenda.world.upgraded_ms[plan.name] = START + agenda.days(60, 300)


def _plan_auditor(agenda: Agenda, plan: Plan) -> None:
    """Let an auditor come every four weeks, and both sign each quarter when it is over."""
    world, visit = agenda.world, START + agenda.days(0, 20)
    while visit < END:
        world.say(
            PhysicalInventory(
                occurred_at_ms=visit, site=plan.name, inspector="A. Uditor", method="sample"
            ),
            late_ms=agenda.days(0, 2),
        )
        visit += agenda.days(26, 29)
    for quarter in range(4):
        first = date(2026, 3 * quarter + 1, 1)
        following = date(2026 + (quarter == 3), (3 * quarter + 3) % 12 + 1, 1)
        signs = ms(following.year, following.month) + agenda.days(12, 25)
        for role in ("operator", "auditor"):
            world.say(
                SignedOff(
                    occurred_at_ms=signs,
                    site=plan.name,
                    first_day=first,
                    last_day=following - timedelta(days=1),
                    role=role,
                    balance=DIGEST,
                )
            )
            signs += agenda.days(1, 3)
