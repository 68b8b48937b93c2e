"""Who is late: the steps that wait for somebody."""

from typing import Annotated, Literal

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from chipledger_server.usecases.access import demand_site
from chipledger_server.usecases.book.lookout import Lookout
from chipledger_server.usecases.reading import WaitsAsked, WaitState, When
from chipledger_server.usecases.showing.waiting import owed_about_findings, place_of, waiting
from chipledger_server.usecases.showing.waits import WaitsPage, wait_view
from chipledger_server.web.api.asking import SITE, ApiRequest, next_cursor
from chipledger_server.web.context import Paging, Parts

OfSite = Annotated[str | None, QueryParameter(name="site", description="Only of this site.")]
OfOwner = Annotated[
    str | None, QueryParameter(name="owner", description="Only what this party or role must do.")
]
InState = Annotated[
    Literal["overdue", "running", "ended"] | None,
    QueryParameter(
        name="state",
        description="Only overdue, running (overdue ones among them) or ended ones.",
    ),
]


@get("/waits", sync_to_thread=True, responses=SITE)
def waits(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    page: NamedDependency[Paging],
    *,
    of_site: OfSite = None,
    of_owner: OfOwner = None,
    in_state: InState = None,
) -> WaitsPage:
    """Return what waits for whom now, the one due first first, as the newest look found it."""
    if of_site is not None:
        demand_site(request.user, of_site)
    now_ms = parts.now_ms()
    state = None if in_state is None else WaitState(in_state)
    place = page.place("waits", now_ms, first=(-1, "", ""))
    due_ms, kind, key = place.after
    asked = WaitsAsked(
        scope=request.user.sites, now_ms=now_ms, site=of_site, owner=of_owner, state=state
    )
    with parts.look(request.user, place.when) as look:
        found = waiting(look, asked, after=(int(due_ms), str(kind), str(key)), limit=page.limit)
        looked_ms = look.snapshot.looked_ms()
    return WaitsPage(
        items=tuple(found),
        next=next_cursor(place, found, page.limit, place_of),
        looked_ms=looked_ms,
    )


@get("/sites/{site_id:str}/waits", sync_to_thread=True, responses=SITE)
def waits_of_site(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    times: NamedDependency[When],
) -> WaitsPage:
    """Return what waited for whom at a site at any time, computed from the ledger for that time."""
    demand_site(request.user, site_id)
    with parts.look(request.user, times) as look:
        found = Lookout(look.snapshot, times, look.measure).site(site_id).waits
        asked = WaitsAsked(scope=request.user.sites, now_ms=times.as_of_ms, site=site_id)
        owed = list(owed_about_findings(look, asked))
    steps = (wait_view(wait, now_ms=times.as_of_ms) for wait in found)
    return WaitsPage(
        items=tuple(sorted([*steps, *owed], key=place_of)),
        next=None,
        looked_ms=times.as_of_ms,
    )


ROUTES = (waits, waits_of_site)
"""Routes of this module."""
