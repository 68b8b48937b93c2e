"""The screens: pages rendered here, no script, every number beside the words that limit it."""

from typing import Annotated, Any, Final
from urllib.parse import quote

from litestar import Request, Response, get, post
from litestar.datastructures import Cookie, State
from litestar.di import NamedDependency
from litestar.enums import MediaType, RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body, FromPath, QueryParameter
from litestar.status_codes import HTTP_303_SEE_OTHER

from chipledger_server.usecases.access import Principal, demand_site
from chipledger_server.usecases.book.reconcile import version_of
from chipledger_server.usecases.reading import EventsAsked, FindingsAsked
from chipledger_server.usecases.refusals import Refusal
from chipledger_server.usecases.showing.chips import chip_detail
from chipledger_server.usecases.showing.events import event_of
from chipledger_server.usecases.showing.findings import finding, worst_first
from chipledger_server.usecases.showing.hosts import host_detail, host_facts, list_hosts
from chipledger_server.usecases.showing.results import signed_result
from chipledger_server.usecases.showing.sites import balance, list_sites, site_detail
from chipledger_server.usecases.times import when
from chipledger_server.web.api.record import appraisal_rule, rule_table
from chipledger_server.web.api.results import EAT_JWT
from chipledger_server.web.auth import SESSION_COOKIE, SESSION_S, demand_own_form
from chipledger_server.web.context import Parts
from chipledger_server.web.overview import Overview, arrange
from chipledger_server.web.rendering import Pages, Travel

ScreenRequest = Request[Principal, Any, State]
AsOf = Annotated[str | None, QueryParameter(name="as_of")]
KnownAt = Annotated[str | None, QueryParameter(name="known_at")]
Form = Annotated[dict[str, str], Body(media_type=RequestEncodingType.URL_ENCODED)]
HOSTS_SHOWN: Final = 500
EVENTS_SHOWN: Final = 100
FINDINGS_SHOWN: Final = 100


def login_address(path: str, query: str) -> str:
    """Return the address of the login page that leads back to where somebody wanted to go."""
    back = path + (f"?{query}" if query else "")
    return "/login" if back == "/" else f"/login?next={quote(back, safe='')}"


def safe_path(text: str | None) -> str:
    """Return an address on this server, whatever was asked for: never one elsewhere."""
    own = text is not None and text.startswith("/") and text[1:2] not in {"/", "\\"}
    plain = text is not None and text.isascii() and text.isprintable() and "\\" not in text
    return text if own and plain and text is not None else "/"


@get("/login", public=True, sync_to_thread=False, include_in_schema=False)
def login_page(
    pages: NamedDependency[Pages], back: Annotated[str | None, QueryParameter(name="next")] = None
) -> Response[str]:
    """Show the form that takes a token."""
    page = pages.render("login.html", reader=None, travel=None, back=safe_path(back), refused=None)
    return _html(page)


@post("/login", public=True, sync_to_thread=True, include_in_schema=False)
def log_in(
    request: Request[Any, Any, State],
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    data: Form,
) -> Response[Any]:
    """Open a session for the principal of a pasted token."""
    demand_own_form(request.headers)
    back = safe_path(data.get("next"))
    now_ms = parts.now_ms()
    try:
        principal = parts.gate.by_token(data.get("token", ""), now_ms=now_ms)
    except Refusal as refused:
        page = pages.render("login.html", reader=None, travel=None, back=back, refused=refused)
        return Response(content=page, media_type=MediaType.HTML, status_code=401)
    return _session(request, parts, principal, back)


@get("/enter/{ticket:str}", public=True, sync_to_thread=True, include_in_schema=False)
def enter_page(
    parts: NamedDependency[Parts], pages: NamedDependency[Pages], ticket: FromPath[str]
) -> Response[str]:
    """Show whom a link lets in; entering takes a click, so that no prefetch opens a session."""
    principal = parts.gate.redeem(ticket, use="link", now_ms=parts.now_ms())
    page = pages.render("enter.html", reader=None, travel=None, ticket=ticket, who=principal)
    return _html(page)


# At an address of its own: the framework wraps a threaded handler twice that shares its path.
@post("/enter", public=True, sync_to_thread=True, include_in_schema=False)
def enter(
    request: Request[Any, Any, State], parts: NamedDependency[Parts], data: Form
) -> Response[Any]:
    """Open a session for the principal of a link."""
    demand_own_form(request.headers)
    principal = parts.gate.redeem(data.get("ticket"), use="link", now_ms=parts.now_ms())
    return _session(request, parts, principal, "/")


@post("/logout", public=True, sync_to_thread=False, include_in_schema=False)
def log_out(request: Request[Any, Any, State]) -> Response[Any]:
    """End the session in this browser."""
    demand_own_form(request.headers)
    answer: Response[Any] = Response(
        content=b"", status_code=HTTP_303_SEE_OTHER, headers={"location": "/login"}
    )
    answer.delete_cookie(SESSION_COOKIE, path="/")
    return answer


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
    return _html(page)


@get("/sites/{site_id:str}", sync_to_thread=True, include_in_schema=False)
def site(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    site_id: FromPath[str],
) -> Response[str]:
    """Show one site: two verdicts, the balance, its hosts, findings and limits."""
    demand_site(request.user, site_id)
    with parts.look(request.user, travel.when) as look:
        asked = FindingsAsked(when=look.when, scope=look.scope, site=site_id, state="open")
        events = EventsAsked(when=look.when, scope=look.scope, site=site_id)
        page = pages.render(
            "site.html",
            reader=request.user,
            travel=travel,
            detail=site_detail(look, site_id),
            balance=balance(look, site_id),
            hosts=list_hosts(look, after="", limit=HOSTS_SHOWN, site=site_id),
            findings=worst_first(look, asked, limit=FINDINGS_SHOWN),
            events=look.snapshot.events(events, after=0, limit=EVENTS_SHOWN),
        )
    return _html(page)


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
    return _html(page)


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
    return _html(page)


@get("/findings/{finding_id:str}", sync_to_thread=True, include_in_schema=False)
def finding_page(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    finding_id: FromPath[str],
) -> Response[str]:
    """Show one finding with what was seen, as recorded."""
    with parts.look(request.user, travel.when) as look:
        found = finding(look, finding_id)
    page = pages.render("finding.html", reader=request.user, travel=travel, found=found)
    return _html(page)


@get("/events/{event_id:str}", sync_to_thread=True, include_in_schema=False)
def event_page(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    event_id: FromPath[str],
) -> Response[str]:
    """Show one event of the ledger, as it stands in the log."""
    with parts.look(request.user, travel.when) as look:
        found = event_of(look, event_id)
    page = pages.render("event.html", reader=request.user, travel=travel, event=found)
    return _html(page)


@get("/rules", sync_to_thread=True, include_in_schema=False)
def rules(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
) -> Response[str]:
    """Show the tables that verdicts stand on: source, status, version, digest."""
    tables = parts.measure.tables
    every = [table for table in (tables.catalogue, tables.countries, tables.rules) if table]
    page = pages.render(
        "rules.html",
        reader=request.user,
        travel=travel,
        tables=[rule_table(table) for table in every],
        appraisal=appraisal_rule(parts.measure.appraisal),
        catalogue=tables.catalogue,
        rules=tables.rules,
    )
    return _html(page)


def provide_travel(
    parts: NamedDependency[Parts], as_of: AsOf = None, known_at: KnownAt = None
) -> Travel:
    """Return the times a page is asked for.

    Raises:
        Refusal: `invalid-parameter`.
    """
    now_ms = parts.now_ms()
    return Travel(
        as_of=as_of or "",
        known_at=known_at or "",
        when=when(as_of, known_at, now_ms=now_ms),
        now_ms=now_ms,
    )


def _session(
    request: Request[Any, Any, State], parts: Parts, principal: Principal, back: str
) -> Response[Any]:
    """Return the answer that opens a session and leads on."""
    session = parts.gate.issue(
        principal.id, use="session", now_ms=parts.now_ms(), lasts_s=SESSION_S
    )
    cookie = Cookie(
        key=SESSION_COOKIE,
        value=session,
        path="/",
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )
    return Response(
        content=b"", status_code=HTTP_303_SEE_OTHER, headers={"location": back}, cookies=[cookie]
    )


def _html(page: str) -> Response[str]:
    return Response(content=page, media_type=MediaType.HTML)


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (
    *(login_page, log_in, log_out, enter_page, enter),
    *(overview, site, host, host_result, chip, finding_page, event_page, rules),
)
"""Every route of the screens."""
