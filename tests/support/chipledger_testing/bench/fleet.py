"""A made-up fleet of any size: what was licensed, delivered, moved and sent back, and what is seen.

Every number follows from the number of sites, so that two runs measure the same thing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

from chipledger_book.events import (
    ByChip,
    ByCount,
    ByUnit,
    ChipRef,
    Event,
    LicenceGranted,
    Line,
    Received,
    Role,
    SiteDeclared,
    event_id,
)
from chipledger_book.licences import Licence, LicenceLine, LicenceType, QuantityUnit
from chipledger_book.movements import Confirmed, RmaIn, RmaOut, TransferIn, TransferOut
from chipledger_book.parties import Party, Site
from chipledger_book.physical import ChipState, SeenChip
from chipledger_evidence.appraisal.grades import Grade
from chipledger_testing.book import H100, H100_SEEN, PAPER, ms, uuid

CHIPS: Final = 1000
"""Chips at one site."""
_BY_CHIP, _BY_COUNT, _SERVERS = 600, 80, 40
_RECEIPT, _RMA, _TRANSFER = 200, 4, 8
_AT: Final = ms(2026, 2)
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Sites of a thousand chips each.

    Attributes:
        sites: how many.
        in_family: how many have one ultimate parent, consignee and licence in common.
    """

    sites: int
    in_family: int = 10

    def name(self, number: int) -> str:
        """Return the id of a site."""
        return f"site-{number:06d}"

    def site(self, number: int) -> Site:
        """Return a site as declared."""
        owner = Party(
            id=f"owner-{number // self.in_family}",
            name=f"Owner {number // self.in_family}",
            headquarters="MY",
        )
        return Site(
            id=self.name(number),
            name=f"Site {number}",
            country="MY",
            operator=owner,
            consignee=owner,
            ultimate_parent=owner,
        )

    def licences(self) -> Iterator[Event]:
        """Yield the licence of every family, large enough for what it receives."""
        for family in range(-(-self.sites // self.in_family)):
            line = LicenceLine(
                sku=H100, unit=QuantityUnit.PIECES, amount=2 * CHIPS * self.in_family
            )
            yield LicenceGranted(
                occurred_at_ms=ms(2025),
                licence=Licence(
                    issuer="BIS",
                    number=f"D-{family}",
                    type=LicenceType.LICENCE,
                    consignee=f"owner-{family}",
                    valid_from=date(2025, 1, 1),
                    valid_to=date(2026, 12, 31),
                    source=PAPER,
                    lines=(line,),
                ),
            )

    def events(self) -> Iterator[Event]:
        """Yield the whole ledger: declarations, licences, then site by site what happened."""
        for number in range(self.sites):
            yield SiteDeclared(occurred_at_ms=ms(2025), site=self.site(number))
        yield from self.licences()
        for number in range(self.sites):
            yield from self.history(number)

    def history(self, number: int) -> Iterator[Event]:
        """Yield what happened at one site, and the other side of its transfer."""
        site = self.name(number)
        for place, lines in enumerate(_deliveries(number)):
            yield Received(occurred_at_ms=_AT + place * _DAY_MS, site=site, lines=lines)
        rma = RmaOut(
            occurred_at_ms=_AT + 20 * _DAY_MS,
            site=site,
            lines=(_named(number, range(_RMA)),),
            vendor="vendor",
            case=f"C-{number}",
        )
        yield rma
        yield Confirmed(
            occurred_at_ms=_AT + 22 * _DAY_MS,
            confirms=event_id(rma),
            role=Role.VENDOR,
            party="vendor",
        )
        yield RmaIn(
            occurred_at_ms=_AT + 24 * _DAY_MS,
            site=site,
            lines=(_named(number, range(CHIPS, CHIPS + _RMA)),),
            vendor="vendor",
            case=f"C-{number}",
            answers=event_id(rma),
        )
        if number % 2 == 0 and number + 1 < self.sites:
            yield from self._transfer(number)

    def _transfer(self, number: int) -> Iterator[Event]:
        lines = (_named(number, range(_RMA, _RMA + _TRANSFER)),)
        out = TransferOut(
            occurred_at_ms=_AT + 30 * _DAY_MS,
            site=self.name(number),
            to_site=self.name(number + 1),
            lines=lines,
        )
        yield out
        yield TransferIn(
            occurred_at_ms=_AT + 31 * _DAY_MS,
            site=self.name(number + 1),
            from_site=self.name(number),
            lines=lines,
            answers=event_id(out),
        )

    def seen(self, number: int) -> list[SeenChip]:
        """Return what is seen at a site: all of its book."""
        here = [*range(_RMA, CHIPS + _RMA)]
        moved = number - number % 2 + 1 < self.sites
        if moved and number % 2 == 0:
            here = here[_TRANSFER:]
        chips = [_chip(number, place, self.name(number)) for place in here]
        if moved and number % 2:
            chips += [
                _chip(number - 1, place, self.name(number))
                for place in range(_RMA, _RMA + _TRANSFER)
            ]
        return chips


def _deliveries(number: int) -> Iterator[tuple[Line, ...]]:
    """Yield the lines of every receipt of a site: by chip, by server, by number."""
    for first in range(0, _BY_CHIP, _RECEIPT):
        yield (_named(number, range(first, first + _RECEIPT)),)
    servers = tuple(f"SRV{number:06d}{server:04d}" for server in range(_SERVERS))
    yield (ByUnit(model="HGX-H100-8", serials=servers),)
    yield (ByCount(sku=H100, pieces=_BY_COUNT),)


def pdi(number: int, place: int) -> str:
    """Return the PDI of a chip of a site."""
    return f"{number * 10_000 + place:016x}"


def _named(number: int, places: range) -> Line:
    refs = (
        ChipRef(
            pdi=pdi(number, place),
            uuid=uuid(number * 10_000 + place),
            serial=f"165{number:06d}{place:04d}",
        )
        for place in places
    )
    return ByChip(sku=H100, chips=tuple(refs))


def _chip(number: int, place: int, site: str) -> SeenChip:
    return SeenChip(
        chip_id=f"{number * 10_000 + place}",
        site=site,
        host=f"{site}-{place // 8:03d}",
        grade=Grade.G1,
        state=ChipState.PRESENT,
        model=H100_SEEN,
        pdi=pdi(number, place),
        uuid=uuid(number * 10_000 + place),
        board=f"165{number:06d}{place:04d}",
    )
