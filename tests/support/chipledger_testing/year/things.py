"""Chips and servers of a year, and who has the sites."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from chipledger_book import shipped
from chipledger_book.catalogue import UnitModel
from chipledger_book.events import ChipRef
from chipledger_book.parties import Party, Site
from chipledger_book.timers import DAY_MS
from chipledger_book.watch.diversions import Papers
from chipledger_testing.book import ms

START: Final = ms(2026)
END: Final = ms(2027)
FAR: Final = ms(2030)
PROLOGUE: Final = START - 150 * DAY_MS
"""When the first deliveries come: the operator has its chips when the year begins."""
FIRST_DAY: Final = date(2025, 1, 1)

OPERATOR: Final = Party(id="meridian-cloud", name="Meridian Cloud", headquarters="MY")
PARENTS: Final = (
    Party(id="meridian-group", name="Meridian Group", headquarters="AE"),
    Party(id="lotus-holding", name="Lotus Holding", headquarters="IN"),
)
PLACES: Final = (
    ("johor", "MY"),
    ("abu-dhabi", "AE"),
    ("mumbai", "IN"),
    ("jakarta", "ID"),
    ("penang", "MY"),
    ("warsaw", "PL"),
    ("sao-paulo", "BR"),
    ("bangkok", "TH"),
    ("chennai", "IN"),
    ("riyadh", "SA"),
    ("lisbon", "PT"),
    ("nairobi", "KE"),
)
SITES_OF_A_PARENT: Final = 6
SITES_OF_A_CONSIGNEE: Final = 3

MODELS: Final = (
    "HGX-H100-8",
    "HGX-H200-8",
    "HGX-A100-8-80GB",
    "HGX-B200-8",
    "GB200-TRAY",
    "L40S-SERVER-8",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One chip; its names follow from its number."""

    number: int
    sku: str

    @property
    def chip_id(self) -> str:
        """The collector's id of it."""
        return f"chip-{self.number:06d}"

    @property
    def pdi(self) -> str:
        """Its PDI."""
        return f"{self.number:016x}"

    @property
    def uuid(self) -> str:
        """Its UUID."""
        return f"GPU-{self.number:08x}-0000-4000-8000-{self.number:012x}"

    @property
    def board(self) -> str:
        """Serial of its board."""
        return f"165{self.number:010d}"

    def ref(self) -> ChipRef:
        """Return it as papers name it."""
        return ChipRef(pdi=self.pdi, uuid=self.uuid, serial=self.board)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server or tray as it was delivered."""

    serial: str
    model: str
    chips: tuple[Chip, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One site of a year.

    Attributes:
        site: as it is declared.
        papers: how its papers name chips.
        models: what it runs.
        servers: of each model, when the year begins.
        feed: whether customs record what is imported for it.
    """

    site: Site
    papers: Papers
    models: tuple[str, ...]
    servers: int
    feed: bool

    @property
    def name(self) -> str:
        """The site's id."""
        return self.site.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How large a year is: how many sites, and about how many chips."""

    sites: int
    chips: int

    def plans(self) -> tuple[Plan, ...]:
        """Return its sites; the first is three times as large as the last."""
        weights = [3 * self.sites - 2 * place for place in range(self.sites)]
        return tuple(
            self._plan(place, self.chips * weight // sum(weights))
            for place, weight in enumerate(weights)
        )

    def _plan(self, place: int, chips: int) -> Plan:
        models = tuple(MODELS[(place + step) % len(MODELS)] for step in range(3))
        each = sum(unit(model).packages for model in models)
        return Plan(
            site=_site(place),
            papers=tuple(Papers)[place % len(Papers)],
            models=models,
            servers=max(2, chips // each),
            feed=place // SITES_OF_A_CONSIGNEE % 2 == 0,
        )


WHOLE: Final = Scale(sites=12, chips=10_000)
SMALL: Final = Scale(sites=7, chips=1_200)


def unit(model: str) -> UnitModel:
    """Return a server model of the catalogue."""
    found = shipped.catalogue().unit(model)
    if found is None:
        raise AssertionError(model)
    return found


def _site(place: int) -> Site:
    name, country = PLACES[place]
    parent = PARENTS[place // SITES_OF_A_PARENT]
    number = place // SITES_OF_A_CONSIGNEE
    consignee = Party(
        id=f"consignee-{number}", name=f"Consignee {number}", headquarters=parent.headquarters
    )
    return Site(
        id=name,
        name=name.title(),
        country=country,
        operator=OPERATOR,
        consignee=consignee,
        ultimate_parent=parent,
    )


@dataclass(slots=True, kw_only=True)
class Maker:
    """Who makes servers: no two chips bear one name.

    Attributes:
        made: every chip that was ever made.
    """

    made: list[Chip] = field(default_factory=list)
    _servers: int = 0

    def server(self, model: str) -> Server:
        """Return a new server."""
        kind = unit(model)
        self._servers += 1
        chips = tuple(self.chip(kind.sku) for _ in range(kind.packages))
        return Server(serial=f"S{self._servers:06d}", model=model, chips=chips)

    def chip(self, sku: str) -> Chip:
        """Return a new chip."""
        chip = Chip(number=len(self.made) + 1, sku=sku)
        self.made.append(chip)
        return chip

    def servers(self, model: str, number: int) -> tuple[Server, ...]:
        """Return new servers of one model."""
        return tuple(self.server(model) for _ in range(number))


def chips_of(servers: Sequence[Server]) -> tuple[Chip, ...]:
    """Return the chips that servers were delivered with."""
    return tuple(chip for server in servers for chip in server.chips)
