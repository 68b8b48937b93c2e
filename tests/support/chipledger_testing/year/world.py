"""What is true in a year, and what papers say of it: acts change one, the other, or both.

An honest act does both. A diversion does one without the other.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from chipledger_book.events import (
    ByChip,
    ByCount,
    ByUnit,
    Event,
    LedgerRecord,
    LicenceGranted,
    Line,
    Received,
    Role,
    SiteDeclared,
    event_id,
)
from chipledger_book.licences import Licence, LicenceLine, LicenceRef, LicenceType, QuantityUnit
from chipledger_book.movements import Confirmed, ShipmentDeclared
from chipledger_book.timers import DAY_MS, HOUR_MS
from chipledger_book.watch.diversions import Papers
from chipledger_testing.book import PAPER
from chipledger_testing.year.things import (
    FAR,
    FIRST_DAY,
    PROLOGUE,
    Chip,
    Maker,
    Plan,
    Server,
    unit,
)

E = TypeVar("E", bound=Event)
Down = tuple[int, int]
VENDOR: Final = "chipmaker"
LICENSED: Final = 3
"""How many times what a consignee has at first its licence allows."""


@dataclass(slots=True, kw_only=True)
class Spell:
    """A chip that runs in a host."""

    site: str
    host: str
    from_ms: int
    until_ms: int = FAR


@dataclass(slots=True, kw_only=True)
class Host:
    """A host as long as anybody runs it.

    Attributes:
        site: where.
        from_ms: when it first reports.
        until_ms: when it reports last.
        down: when it does not report in between.
    """

    site: str
    from_ms: int
    until_ms: int = FAR
    down: list[Down] = field(default_factory=list)


@dataclass(kw_only=True)
class World:
    """One year as it is told.

    Attributes:
        plans: its sites.
        maker: who makes chips.
        records: what was entered.
        spells: chip → where it ran.
        where: chip → since when it is at which place: a site, or anywhere else.
        hosts: every host.
        servers: host → the server that it is.
        inside: host → chips that run in it now.
        touched: hosts to which something happened after they were set up.
        downtime: of the collector.
        upgraded_ms: site → from when on its drivers say the PDI.
    """

    plans: tuple[Plan, ...]
    maker: Maker = field(default_factory=Maker)
    records: list[LedgerRecord] = field(default_factory=list)
    spells: dict[Chip, list[Spell]] = field(default_factory=lambda: defaultdict(list))
    where: dict[Chip, list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))
    hosts: dict[str, Host] = field(default_factory=dict)
    servers: dict[str, Server] = field(default_factory=dict)
    inside: dict[str, list[Chip]] = field(default_factory=lambda: defaultdict(list))
    touched: set[str] = field(default_factory=set)
    downtime: list[Down] = field(default_factory=list)
    upgraded_ms: dict[str, int] = field(default_factory=dict)

    def plan(self, site: str) -> Plan:
        """Return a site of the year."""
        return next(plan for plan in self.plans if plan.name == site)

    # papers

    def say(self, event: E, *, late_ms: int = 0) -> E:
        """Enter an event so long after it happened."""
        at_ms = event.occurred_at_ms + late_ms
        self.records.append(LedgerRecord(event=event, recorded_at_ms=at_ms))
        return event

    def confirm(
        self, event: Event, role: Role, party: str, *, at_ms: int, late_ms: int = 0
    ) -> None:
        """Let the other side stand behind an event."""
        self.say(
            Confirmed(occurred_at_ms=at_ms, confirms=event_id(event), role=role, party=party),
            late_ms=late_ms,
        )

    def lines(self, site: str, chips: Collection[Chip]) -> tuple[Line, ...]:
        """Return chips as the papers of a site name single ones."""
        skus = sorted({chip.sku for chip in chips})
        if self.plan(site).papers is Papers.COUNT:
            counts = Counter(chip.sku for chip in chips)
            return tuple(ByCount(sku=sku, pieces=counts[sku]) for sku in skus)
        return tuple(
            ByChip(
                sku=sku,
                chips=tuple(
                    chip.ref()
                    for chip in sorted(chips, key=lambda one: one.number)
                    if chip.sku == sku
                ),
            )
            for sku in skus
        )

    def whole(self, site: str, servers: Sequence[Server]) -> tuple[Line, ...]:
        """Return whole servers as the papers of a site name them."""
        if self.plan(site).papers is not Papers.SERVERS:
            return self.lines(site, [chip for one in servers for chip in one.chips])
        models = sorted({one.model for one in servers})
        return tuple(
            ByUnit(
                model=model,
                serials=tuple(sorted(one.serial for one in servers if one.model == model)),
            )
            for model in models
        )

    def receive(
        self,
        site: str,
        servers: Sequence[Server],
        at_ms: int,
        *,
        declared_ms: int | None = None,
        late_ms: int = 0,
        licence: str | None = "",
        answers: ShipmentDeclared | None = None,
    ) -> Received:
        """Enter a delivery, with the shipper's declaration where there is one.

        It is charged to the licence of its consignee, to another one, or (None) to none.
        """
        lines, shipment, charged = self.whole(site, servers), answers, None
        if licence is not None:
            charged = LicenceRef(issuer="BIS", number=licence or licence_of(self.plan(site)))
        if declared_ms is not None:
            shipment = self.say(
                ShipmentDeclared(
                    occurred_at_ms=declared_ms,
                    site=site,
                    lines=lines,
                    shipper=VENDOR,
                    shipment=servers[0].serial,
                    charged_to=charged,
                )
            )
        arrived = Received(
            occurred_at_ms=at_ms,
            site=site,
            lines=lines,
            shipper=VENDOR,
            shipment=servers[0].serial,
            charged_to=charged,
            answers=None if shipment is None else event_id(shipment),
        )
        return self.say(arrived, late_ms=late_ms)

    # metal

    def bring(self, chips: Iterable[Chip], place: str, at_ms: int) -> None:
        """Let chips be at a place from a time on."""
        for chip in chips:
            self.where[chip].append((at_ms, place))

    def set_up(self, server: Server, site: str, at_ms: int, *, name: str = "") -> str:
        """Start a server with its chips as a host, and return the host."""
        host = name or f"{site}-{server.serial}"
        self.hosts[host] = Host(site=site, from_ms=at_ms)
        self.servers[host] = server
        for chip in server.chips:
            self.plug(chip, host, at_ms)
        return host

    def plug(self, chip: Chip, host: str, at_ms: int) -> None:
        """Start a chip in a host."""
        site = self.hosts[host].site
        self.spells[chip].append(Spell(site=site, host=host, from_ms=at_ms))
        self.inside[host].append(chip)

    def pull(self, chip: Chip, at_ms: int) -> None:
        """Take a chip out of its host."""
        spell = self.spells[chip][-1]
        spell.until_ms = at_ms
        self.inside[spell.host].remove(chip)

    def take_down(self, host: str, at_ms: int) -> tuple[Chip, ...]:
        """Switch a host off for good, and return the chips that ran in it."""
        self.hosts[host].until_ms = at_ms
        chips = tuple(self.inside[host])
        for chip in chips:
            self.pull(chip, at_ms)
        return chips

    # truth

    def truth(self, at_ms: int) -> dict[str, Counter[str]]:
        """Return how many chips of each model are at each place at a time."""
        found: dict[str, Counter[str]] = defaultdict(Counter)
        for chip, places in self.where.items():
            past = [place for since, place in places if since <= at_ms]
            if past:
                found[past[-1]][chip.sku] += 1
        return found


def licence_of(plan: Plan) -> str:
    """Return the number of the licence that a site's deliveries come under."""
    return f"L-{plan.site.consignee.id}"


def begin(world: World) -> None:
    """Declare all sites, and grant their consignees what they will receive and room beside it."""
    held: dict[str, Counter[str]] = defaultdict(Counter)
    for plan in world.plans:
        world.say(SiteDeclared(occurred_at_ms=PROLOGUE - DAY_MS, site=plan.site))
        for model in plan.models:
            kind = unit(model)
            held[plan.site.consignee.id][kind.sku] += plan.servers * kind.packages
    for consignee, counts in sorted(held.items()):
        world.say(
            LicenceGranted(
                occurred_at_ms=PROLOGUE - DAY_MS,
                licence=Licence(
                    issuer="BIS",
                    number=f"L-{consignee}",
                    type=LicenceType.LICENCE,
                    consignee=consignee,
                    valid_from=FIRST_DAY,
                    valid_to=FIRST_DAY.replace(year=2028),
                    source=PAPER,
                    lines=tuple(
                        LicenceLine(
                            sku=unit(model).sku,
                            unit=QuantityUnit.PIECES,
                            amount=max(1_000, LICENSED * counts[unit(model).sku]),
                        )
                        for model in sorted({m for plan in world.plans for m in plan.models})
                    ),
                ),
            )
        )


def hours(number: int) -> int:
    """Return a number of hours in milliseconds."""
    return number * HOUR_MS
