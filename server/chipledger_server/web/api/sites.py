"""Sites: the overview, one site, and its balance."""

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from chipledger_server.usecases.access import demand_site
from chipledger_server.usecases.book.reconcile import SiteBalance
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.showing.chips import chips_of_site
from chipledger_server.usecases.showing.hosts import list_hosts
from chipledger_server.usecases.showing.sites import (
    SiteDetail,
    SitesPage,
    list_sites,
    site_detail,
)
from chipledger_server.usecases.showing.sites import balance as balance_for
from chipledger_server.usecases.views import DevicesPage, HostsPage, SiteDevice
from chipledger_server.web.api.asking import LIST, SITE, ApiRequest, Under, next_cursor
from chipledger_server.web.context import Paging, Parts


@get("/sites", sync_to_thread=True, responses=LIST)
def sites(
    request: ApiRequest, parts: NamedDependency[Parts], page: NamedDependency[Paging]
) -> SitesPage:
    """Return every site you may see, each in one line."""
    place = page.place("sites", parts.now_ms(), first=("",))
    with parts.look(request.user, place.when) as look:
        found = [site for site in list_sites(look) if (site.id,) > place.after]
    items = found[: page.limit]
    return SitesPage(
        items=tuple(items),
        next=next_cursor(place, items, page.limit, lambda site: (site.id,)),
        as_of_ms=place.as_of_ms,
        known_at_ms=place.known_at_ms,
    )


@get("/sites/{site_id:str}", sync_to_thread=True, responses=SITE)
def site(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    times: NamedDependency[When],
) -> SiteDetail:
    """Return one site: as declared, and in one line."""
    demand_site(request.user, site_id)
    with parts.look(request.user, times) as look:
        return site_detail(look, site_id)


@get("/sites/{site_id:str}/balance", sync_to_thread=True, responses=SITE)
def balance(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    times: NamedDependency[When],
    *,
    under: Under = None,
) -> SiteBalance:
    """Return the balance of a site with both verdicts and the versions of every table used."""
    demand_site(request.user, site_id)
    with parts.look(request.user, times, rules=under) as look:
        return balance_for(look, site_id)


@get("/sites/{site_id:str}/hosts", sync_to_thread=True, responses=SITE)
def site_hosts(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    page: NamedDependency[Paging],
) -> HostsPage:
    """Return the hosts of a site, by id."""
    demand_site(request.user, site_id)
    place = page.place("site-hosts", parts.now_ms(), first=("",))
    with parts.look(request.user, place.when) as look:
        items = list_hosts(look, after=str(place.after[0]), limit=page.limit, site=site_id)
    return HostsPage(
        items=tuple(items),
        next=next_cursor(place, items, page.limit, lambda host: (host.id,)),
        as_of_ms=place.as_of_ms,
        known_at_ms=place.known_at_ms,
    )


@get("/sites/{site_id:str}/devices", sync_to_thread=True, responses=SITE)
def site_devices(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    page: NamedDependency[Paging],
) -> DevicesPage:
    """Return what the hosts of a site hold and what each device counts as."""
    demand_site(request.user, site_id)
    place = page.place("site-devices", parts.now_ms(), first=("", -1))
    after = (str(place.after[0]), int(place.after[1]))
    with parts.look(request.user, place.when) as look:
        found = chips_of_site(look, site_id, after=after, limit=page.limit)
    items = [SiteDevice(host=host, device=device) for host, device in found]
    return DevicesPage(
        items=tuple(items),
        next=next_cursor(place, items, page.limit, lambda one: (one.host, one.device.place)),
        as_of_ms=place.as_of_ms,
        known_at_ms=place.known_at_ms,
    )
