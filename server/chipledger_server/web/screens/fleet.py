"""Sites, hosts, chips, findings, events and rules: no script, every number beside its limits."""

from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from chipledger_server.usecases.access import demand_site
from chipledger_server.usecases.book.reconcile import version_of
from chipledger_server.usecases.reading import EventsAsked, FindingsAsked
from chipledger_server.usecases.rules.words import VERDICTS, limit_words
from chipledger_server.usecases.showing.chips import chip_detail
from chipledger_server.usecases.showing.duties import NEEDS
from chipledger_server.usecases.showing.findings import worst_first
from chipledger_server.usecases.showing.hosts import host_detail, host_facts, list_hosts
from chipledger_server.usecases.showing.results import signed_result
from chipledger_server.usecases.showing.sites import balance, list_sites, site_detail
from chipledger_server.web.api.asking import Under
from chipledger_server.web.api.results import EAT_JWT
from chipledger_server.web.context import Parts
from chipledger_server.web.overview import Overview, arrange
from chipledger_server.web.rendering import Pages, Travel
from chipledger_server.web.screens.asking import ScreenRequest, html

HOSTS_SHOWN: Final = 500
EVENTS_SHOWN: Final = 100
FINDINGS_SHOWN: Final = 100


@get("/", sync_to_thread=True, include_in_schema=False)
def overview(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
) -> Response[str]:
    """Show every site the reader may see, worst first."""
    asked = Overview.of(request.query_params)
    with parts.look(request.user, travel.when) as look:
        sites = list_sites(look)
    page = pages.render(
        "overview.html",
        reader=request.user,
        travel=travel,
        sites=arrange(sites, asked),
        every=sites,
        asked=asked,
        tables=parts.measure.tables.versions(),
        appraisal=version_of(parts.measure.appraisal),
    )
    return html(page)


@get("/sites/{site_id:str}", sync_to_thread=True, include_in_schema=False)
def site(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    site_id: FromPath[str],
    under: Under = None,
) -> Response[str]:
    """Show one site: two verdicts, the balance, its hosts, findings and limits."""
    demand_site(request.user, site_id)
    known = travel.when.known_at_ms
    with parts.look(request.user, travel.when, rules=under) as look:
        asked = FindingsAsked(when=look.when, scope=look.scope, site=site_id, states=NEEDS)
        events = EventsAsked(when=look.when, scope=look.scope, site=site_id)
        page = pages.render(
            "site.html",
            reader=request.user,
            travel=travel,
            detail=site_detail(look, site_id),
            balance=balance(look, site_id),
            rule_sets=parts.measures.store.shelf().rule_sets(known),
            under=under,
            VERDICTS=VERDICTS,
            limit_words=limit_words,
            hosts=list_hosts(look, after="", limit=HOSTS_SHOWN, site=site_id),
            findings=worst_first(look, asked, limit=FINDINGS_SHOWN),
            events=look.snapshot.events(events, after=0, limit=EVENTS_SHOWN),
        )
    return html(page)


@get("/hosts/{host_id:str}", sync_to_thread=True, include_in_schema=False)
def host(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    host_id: FromPath[str],
) -> Response[str]:
    """Show one host: what it holds, its three views, its chain and its keys."""
    with parts.look(request.user, travel.when) as look:
        asked = FindingsAsked(when=look.when, scope=look.scope, host=host_id)
        page = pages.render(
            "host.html",
            reader=request.user,
            travel=travel,
            detail=host_detail(look, host_id),
            findings=worst_first(look, asked, limit=FINDINGS_SHOWN),
            signs=parts.results.signer is not None,
        )
    return html(page)


@get("/hosts/{host_id:str}/result", sync_to_thread=True, include_in_schema=False)
def host_result(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    travel: NamedDependency[Travel],
    *,
    host_id: FromPath[str],
) -> Response[str]:
    """Hand out the attestation result of a host as a file."""
    with parts.look(request.user, travel.when) as look:
        token = signed_result(look, host_id, parts.results, now_ms=parts.now_ms(), nonce=None)
        name = f"{host_facts(look, host_id).id}.jwt"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content=token, media_type=EAT_JWT, headers=headers)


@get("/chips/{chip_id:int}", sync_to_thread=True, include_in_schema=False)
def chip(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    chip_id: FromPath[int],
) -> Response[str]:
    """Show one chip: its names, where it was seen, and who else claims it."""
    with parts.look(request.user, travel.when) as look:
        asked = FindingsAsked(when=look.when, scope=look.scope, chip=chip_id)
        page = pages.render(
            "chip.html",
            reader=request.user,
            travel=travel,
            detail=chip_detail(look, chip_id),
            findings=worst_first(look, asked, limit=FINDINGS_SHOWN),
        )
    return html(page)


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (
    *(
        overview,
        site,
        host,
        host_result,
        chip,
    ),
)
"""Routes of this module."""
