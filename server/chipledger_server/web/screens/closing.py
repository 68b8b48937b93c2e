"""Closing periods: the periods of a site, one period, the forms of both, and what is due."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from chipledger_book.periods.document import FORMAT
from chipledger_book.reports.making import OF_THE_PARENT, TITLES
from chipledger_book.reports.writing import FORMATS, Format
from chipledger_server.usecases.access import Principal, Role, demand_site
from chipledger_server.usecases.periods.closing import Freezing, freeze, sign_off
from chipledger_server.usecases.periods.showing import (
    one_period,
    parse_period,
    period_name,
    periods_of,
    shelf_of,
)
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing.sites import site_detail
from chipledger_server.web.api.periods import (
    document_bytes,
    due_page,
    report_answer,
    report_asked,
)
from chipledger_server.web.context import Parts
from chipledger_server.web.rendering import Pages, Travel
from chipledger_server.web.screens.asking import Form, ScreenRequest, html, own_form

_SIGNS: Final = {Role.OPERATOR: "operator", Role.AUDITOR: "auditor"}
Version = Annotated[int | None, QueryParameter(ge=1)]


@get("/sites/{site_id:str}/periods", sync_to_thread=True, include_in_schema=False)
def periods_page(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    site_id: FromPath[str],
) -> Response[str]:
    """Show the periods of a site, what is due of it, and the form that freezes the next."""
    demand_site(request.user, site_id)
    with parts.look(request.user, travel.when) as look:
        shelf = shelf_of(look, site_id, parts.periods)
        page = pages.render(
            "periods.html",
            reader=request.user,
            travel=travel,
            site=site_detail(look, site_id).site,
            periods=periods_of(shelf, site_id, now_ms=parts.now_ms()),
            due=[one for one in due_page(look, parts).items if one.site == site_id],
        )
    return html(page)


@get("/sites/{site_id:str}/periods/{period:str}", sync_to_thread=True, include_in_schema=False)
def period_page(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    site_id: FromPath[str],
    period: FromPath[str],
) -> Response[str]:
    """Show one period: where it stands, what blocks it, who must sign, what changed."""
    demand_site(request.user, site_id)
    with parts.look(request.user, travel.when) as look:
        shown = one_period(shelf_of(look, site_id, parts.periods), period)
        page = pages.render(
            "period.html",
            reader=request.user,
            travel=travel,
            site=site_detail(look, site_id).site,
            shown=shown,
            signs=_may_sign(request.user, shown.period.waits_for),
            reports=TITLES,
            of_parent=OF_THE_PARENT,
        )
    return html(page)


def _may_sign(who: Principal, waits_for: str | None) -> bool:
    return waits_for is not None and _SIGNS.get(who.role) == waits_for


@post(
    "/sites/{site_id:str}/periods/freeze",
    sync_to_thread=True,
    include_in_schema=False,
    before_request=own_form,
)
def freeze_form(
    request: ScreenRequest, parts: NamedDependency[Parts], data: Form, *, site_id: FromPath[str]
) -> Response[Any]:
    """Freeze a period, or freeze it again, or restate it; lead to its page."""
    named = f"{data.get('first_day', '')}..{data.get('last_day', '')}"
    first, last = parse_period(named)
    ask = Freezing(
        site=site_id,
        first_day=first,
        last_day=last,
        gap_reason=data.get("gap", "").strip(),
        reason=data.get("reason"),
    )
    freeze(ask, parts.periods, parts.hand(request.user), request.user)
    return _to(site_id, period_name(first, last))


@post(
    "/sites/{site_id:str}/periods/sign",
    sync_to_thread=True,
    include_in_schema=False,
    before_request=own_form,
)
def sign_form(
    request: ScreenRequest, parts: NamedDependency[Parts], data: Form, *, site_id: FromPath[str]
) -> Response[Any]:
    """Sign a document off by the digest that the page showed; lead to its page."""
    signed, _ = sign_off(
        site_id,
        data.get("digest", ""),
        parts.periods,
        parts.hand(request.user),
        who=request.user,
    )
    return _to(site_id, period_name(*signed.days))


def _to(site: str, period: str) -> Response[Any]:
    return Response(
        content=b"",
        status_code=HTTPStatus.SEE_OTHER,
        headers={"location": f"/sites/{site}/periods/{period}"},
    )


@get(
    "/sites/{site_id:str}/periods/{period:str}/document",
    sync_to_thread=True,
    include_in_schema=False,
)
def document_file(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    *,
    site_id: FromPath[str],
    period: FromPath[str],
    version: Version = None,
) -> Response[bytes]:
    """Hand out the canonical document of a period as a file."""
    demand_site(request.user, site_id)
    data = document_bytes(parts, site_id, period, version)
    name = f"{site_id}-{period.replace('..', '-')}-{FORMAT}.json"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content=data, media_type="application/json", headers=headers)


@get(
    "/sites/{site_id:str}/periods/{period:str}/reports/{name:str}",
    sync_to_thread=True,
    include_in_schema=False,
)
def report_file(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    travel: NamedDependency[Travel],
    *,
    site_id: FromPath[str],
    period: FromPath[str],
    name: FromPath[str],
    version: Version = None,
) -> Response[bytes]:
    """Hand out a report, ``current-inventory.csv``: pages are shown, tables are files."""
    kind, _, form = name.rpartition(".")
    if form not in FORMATS:
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"there is no format {form!r}",
            hint=f"one of {', '.join(FORMATS)}",
        )
    asked = report_asked(
        kind,
        site_id,
        parse_period(period),
        version=version,
        known_at_ms=travel.when.known_at_ms,
    )
    chosen: Format = next(one for one in FORMATS if one == form)
    return report_answer(request, parts, asked, chosen)


@get("/reports", sync_to_thread=True, include_in_schema=False)
def reports_page(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
) -> Response[str]:
    """Show what is due when of every site that the reader may see."""
    with parts.look(request.user, travel.when) as look:
        page = pages.render(
            "reports.html",
            reader=request.user,
            travel=travel,
            due=due_page(look, parts),
            reports=TITLES,
            sites=[name for name in look.snapshot.site_ids() if look.sees(name)],
        )
    return html(page)


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (
    *(periods_page, period_page, freeze_form, sign_form, document_file, report_file, reports_page),
)
"""Routes of this module."""
