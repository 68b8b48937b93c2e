"""Who is late: one page of every step that waits for somebody."""

from typing import Annotated, Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from chipledger_server.usecases.access import demand_site
from chipledger_server.usecases.reading import WaitsAsked, WaitState
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing.waiting import count_overdue, place_of, waiting
from chipledger_server.web.context import Parts
from chipledger_server.web.rendering import Pages, Travel
from chipledger_server.web.screens.asking import ScreenRequest, html

OfSite = Annotated[str | None, QueryParameter(name="site")]
OfOwner = Annotated[str | None, QueryParameter(name="owner")]
InState = Annotated[str | None, QueryParameter(name="state")]
Behind = Annotated[str | None, QueryParameter(name="behind")]
SHOWN: Final = 100
_PLACE: Final = 3


@get("/late", sync_to_thread=True, include_in_schema=False)
def late(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    of_site: OfSite = None,
    of_owner: OfOwner = None,
    in_state: InState = None,
    behind: Behind = None,
) -> Response[str]:
    """Show what waits for whom, the one due first first."""
    if of_site:
        demand_site(request.user, of_site)
    now_ms = parts.now_ms()
    asked = WaitsAsked(
        scope=request.user.sites,
        now_ms=now_ms,
        site=of_site or None,
        owner=of_owner or None,
        state=_state(in_state),
    )
    with parts.look(request.user, travel.when) as look:
        found = waiting(look, asked, after=_place(behind), limit=SHOWN + 1)
        overdue = count_overdue(look, asked)
        looked_ms = look.snapshot.looked_ms()
    more = found[SHOWN - 1] if len(found) > SHOWN else None
    page = pages.render(
        "late.html",
        reader=request.user,
        travel=travel,
        asked={"site": of_site or "", "owner": of_owner or "", "state": in_state or ""},
        waits=found[:SHOWN],
        more=None if more is None else ".".join(map(str, place_of(more))),
        overdue=overdue,
        looked_ms=looked_ms,
    )
    return html(page)


def _state(text: str | None) -> WaitState | None:
    """Return which waits a form asks for; running ones where it does not say."""
    if text == "all":
        return None
    try:
        return WaitState(text) if text else WaitState.RUNNING
    except ValueError as error:
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"state {text!r} is none",
            hint="one of overdue, running, ended, all",
        ) from error


def _place(text: str | None) -> tuple[int, str, str]:
    """Return the place behind which a page begins."""
    if not text:
        return (-1, "", "")
    parts = text.split(".", _PLACE - 1)
    if len(parts) != _PLACE or not parts[0].isdecimal() or len(parts[0]) > _DIGITS:
        raise Refusal(
            Code.INVALID_CURSOR,
            "the place is not one of this list",
            hint="go back to the first page",
        )
    return (int(parts[0]), parts[1], parts[2])


_DIGITS: Final = 16

SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (late,)
"""Routes of this module."""
