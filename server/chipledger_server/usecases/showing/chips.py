"""Chips as readers are shown them."""

from typing import Final

from chipledger_book.terms import MAX_INTEGER
from chipledger_server.usecases.book.reconcile import settle_site
from chipledger_server.usecases.physical import Settled, Standing
from chipledger_server.usecases.reading import ChipsAsked
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.hosts import devices
from chipledger_server.usecases.views import ChipDetail, ChipSummary, Device, Statement

SIGHTINGS_SHOWN: Final = 100


def list_chips(look: Look, *, after: int, limit: int, name: str | None = None) -> list[ChipSummary]:
    """Return chips in the order they were first seen, all or those that bear a name."""
    asked = ChipsAsked(when=look.when, scope=look.scope, name=name)
    return list(look.snapshot.chips(asked, after=after, limit=limit))


def chips_of_site(
    look: Look, site: str, *, after: tuple[str, int], limit: int
) -> list[tuple[str, Device]]:
    """Return what the hosts of a site hold, device by device, in the order of host and place."""
    settled = settle_site(look.snapshot, site, look.when, look.patience())
    rest = [one for one in settled if (one.claim.host, one.claim.place) > after]
    page = rest[:limit]
    return [(one.claim.host, shown) for one, shown in zip(page, devices(look, page), strict=True)]


def chip_detail(look: Look, chip: int) -> ChipDetail:
    """Return one chip.

    Raises:
        Refusal: `unknown-chip`, also for a chip that was never at a site the reader may see.
    """
    asked = ChipsAsked(when=look.when, scope=look.scope, chip=chip)
    known = chip <= MAX_INTEGER  # no database is asked for more
    found = look.snapshot.chips(asked, after=chip - 1, limit=1) if known else ()
    summary = next(iter(found), None)
    if summary is None:
        raise Refusal(
            Code.UNKNOWN_CHIP,
            f"there is no chip {chip} that you may see at this time",
            hint="check the id, and the time you look at",
        )
    sightings = look.snapshot.sightings(chip, look.when, scope=look.scope, limit=SIGHTINGS_SHOWN)
    model = look.model(sightings.model)
    counted = _counted(look, chip, [sighting.run.site for sighting in sightings.seen])
    return ChipDetail(
        chip=summary,
        sku=model.sku if model else None,
        name=sightings.model.name,
        tpp=model.tpp if model else None,
        standing=counted.standing if counted else "gone",
        grade=counted.grade if counted else "G0",
        site=counted.claim.site if counted else None,
        host=counted.claim.host if counted else None,
        sightings=tuple(sightings.seen),
        disputes=tuple(look.snapshot.disputes(chip, look.when, scope=look.scope)),
        signed_ms=counted.claim.signed_ms if counted else None,
        statement=_statement(look, counted) if counted else None,
    )


def _statement(look: Look, counted: Settled) -> Statement | None:
    """Return what the chip signed in the newest round of the host it counts on."""
    newest = look.snapshot.newest_round(counted.claim.host, look.when)
    statements = newest.statements if newest else ()
    return next((one for one in statements if one.pdi and one.pdi == counted.claim.pdi), None)


_ORDER: Final = (
    Standing.PRESENT,
    Standing.SILENT,
    Standing.DISPUTED,
    Standing.UNCOUNTED,
    Standing.MOVED,
)


def _counted(look: Look, chip: int, sites: list[str]) -> Settled | None:
    """Return the claim on a chip that says most of where it is now."""
    claims = [
        one
        for site in dict.fromkeys(sites)
        for one in settle_site(look.snapshot, site, look.when, look.patience())
        if one.claim.chip == chip
    ]
    return min(claims, key=lambda one: _ORDER.index(one.standing), default=None)
