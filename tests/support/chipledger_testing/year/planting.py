"""Diversions as acts in a year: what is done, and from when and by how much it ought to show."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from chipledger_book.events import Event
from chipledger_book.timers import DAY_MS
from chipledger_book.watch.diversions import Help, Papers
from chipledger_testing.book import ms
from chipledger_testing.year.things import Chip, Plan, Server
from chipledger_testing.year.world import World

ACT: Final = ms(2026, 5, 4, 12)
"""When diversions happen, so that the longest timer passes within the year."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """What was diverted.

    Attributes:
        since_ms: when what it is found by began: nothing shows before.
        pieces: chips that the finding is about.
        chips: ids of chips that the finding has to name where names are known.
        balance: site and column → how many chips more stand there than in the honest year.
    """

    since_ms: int = ACT
    pieces: int = 0
    chips: tuple[Chip, ...] = ()
    balance: Mapping[tuple[str, str], int] = field(default_factory=Counter)


@dataclass(kw_only=True)
class Plot:
    """Where a diversion happens.

    Attributes:
        world: the year, honest so far.
        papers: how the papers of the sites name chips.
        given: what outsiders add.
        twin: the same year, to stay honest; what is no diversion happens in both.
        used: hosts that another diversion took.
    """

    world: World
    twin: World
    papers: Papers
    given: Help | None = None
    used: set[str] = field(default_factory=set)

    def both(self, event: Event) -> None:
        """Let something that is no diversion be entered in both years."""
        self.world.say(event)
        self.twin.say(event)

    @property
    def plans(self) -> list[Plan]:
        """The sites with these papers."""
        return [plan for plan in self.world.plans if plan.papers is self.papers]

    @property
    def plan(self) -> Plan:
        """The first of them."""
        return self.plans[0]

    @property
    def other(self) -> Plan:
        """Another one of the same ultimate parent."""
        return self.plans[1]

    def quiet(self, number: int = 1, *, plan: Plan | None = None) -> list[str]:
        """Return hosts that run undisturbed all the year."""
        site = (plan or self.plan).name
        found = [
            name
            for name, host in self.world.hosts.items()
            if host.site == site
            and host.from_ms < ACT - 30 * DAY_MS
            and name not in self.world.touched
            and name not in self.used
            and not any(
                first < ACT + 30 * DAY_MS and last > ACT - 30 * DAY_MS for first, last in host.down
            )
        ]
        hosts = found[:number]
        if len(hosts) < number:
            message = f"{site} has only {len(found)} quiet hosts"
            raise AssertionError(message)
        self.used.update(hosts)
        return hosts

    def fresh(self, number: int = 2, *, model: str | None = None) -> tuple[Server, ...]:
        """Return new servers of the first model of the site."""
        return self.world.maker.servers(model or self.plan.models[0], number)


Act = Callable[[Plot], Planted]
ACTS: Final[dict[str, Act]] = {}


def diverts(name: str) -> Callable[[Act], Act]:
    """Register an act under the name of its row in the table."""

    def register(act: Act) -> Act:
        ACTS[name] = act
        return act

    return register


def days(number: int) -> int:
    """Return a number of days in milliseconds."""
    return number * DAY_MS


def number_of(servers: Sequence[Server]) -> int:
    """Return how many chips servers hold."""
    return sum(len(server.chips) for server in servers)
