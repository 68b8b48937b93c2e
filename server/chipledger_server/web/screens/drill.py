"""Balances brought together, and the page behind each number of a site's table."""

from typing import Annotated, Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from chipledger_book.rollup import BYS
from chipledger_server.usecases.access import demand_site
from chipledger_server.usecases.showing.drill import behind_number, roll_ups
from chipledger_server.web.context import Parts
from chipledger_server.web.rendering import Pages, Travel
from chipledger_server.web.screens.asking import ScreenRequest, html

Model = Annotated[str, QueryParameter(name="sku")]
By = Annotated[str, QueryParameter(name="by")]
Column = Annotated[str, QueryParameter(name="column")]
CHIPS_SHOWN: Final = 2000

COLUMN_WORDS: Final = {
    "opening": "on the book when the period began",
    "received": "received",
    "transfer_in": "transferred in",
    "rma_in": "back from a vendor",
    "shipped": "shipped away",
    "transfer_out": "transferred out",
    "rma_out": "taken back by a vendor",
    "disposed": "decommissioned or destroyed",
    "book": "on the book",
    "overdrawn": "left on paper, and were not on the book",
    "present": "present, at any grade",
    "G1": "present, self-reported (G1)",
    "G2": "present, challenged (G2)",
    "G3": "present, chip-signed (G3)",
    "G4": "present, chip-signed and located (G4)",
    "matched_by_identity": "present and matched by a name",
    "matched_by_count": "present and matched by number alone",
    "overage": "present and not on the book",
    "silent": "on the book and silent",
    "silent_off_book": "silent and not on the book",
    "disputed": "on the book and disputed",
    "disputed_off_book": "disputed and not on the book",
    "declared": "declared by documents only (G0)",
    "stored": "explained by a seal alone",
    "unaccounted": "on the book and unaccounted for",
}


@get("/rollups", sync_to_thread=True, include_in_schema=False)
def rollups(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    by: By = "parent",
) -> Response[str]:
    """Show the balances of all sites the reader may see, brought together."""
    with parts.look(request.user, travel.when) as look:
        found = roll_ups(look, by)
    page = pages.render("rollups.html", reader=request.user, travel=travel, found=found, bys=BYS)
    return html(page)


@get("/sites/{site_id:str}/behind", sync_to_thread=True, include_in_schema=False)
def behind(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    site_id: FromPath[str],
    model: Model,
    column: Column,
) -> Response[str]:
    """Show the events and chips behind one number."""
    demand_site(request.user, site_id)
    with parts.look(request.user, travel.when) as look:
        found = behind_number(look, site_id, sku=model, column=column)
    page = pages.render(
        "behind.html",
        reader=request.user,
        travel=travel,
        found=found,
        words=COLUMN_WORDS[found.part.column],
        pieces={one.event: one.pieces for one in found.part.events},
        shown=found.part.chips[:CHIPS_SHOWN],
    )
    return html(page)


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (rollups, behind)
"""Routes of this module."""
