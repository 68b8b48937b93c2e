"""Periods of a site, their documents, the reports made of them, and what is due."""

from datetime import date
from typing import Annotated

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from chipledger_book.reports.making import ReportKind
from chipledger_book.reports.writing import MEDIA_TYPES, Format, written
from chipledger_book.terms import day_of
from chipledger_server.usecases.access import demand_site
from chipledger_server.usecases.periods.closing import unknown_period
from chipledger_server.usecases.periods.reporting import ReportAsked, report_of
from chipledger_server.usecases.periods.showing import (
    DuePage,
    DueView,
    PeriodDetail,
    PeriodsPage,
    due_of,
    one_period,
    parse_period,
    periods_of,
    shelf_of,
)
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.web.api.asking import LIST, SITE, ApiRequest
from chipledger_server.web.context import Parts

Version = Annotated[
    int | None, QueryParameter(ge=1, description="Version of the document; the newest if left out.")
]
_BYTES = ResponseSpec(
    data_container=bytes,
    media_type="application/octet-stream",
    description="The document or report, byte for byte; its digest is over exactly these bytes.",
    generate_examples=False,
)


@get("/sites/{site_id:str}/periods", sync_to_thread=True, responses=SITE)
def periods(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    times: NamedDependency[When],
) -> PeriodsPage:
    """Return every period of a site, newest first: where it stands, who must sign, what is late."""
    demand_site(request.user, site_id)
    with parts.look(request.user, times) as look:
        shelf = shelf_of(look, site_id, parts.periods)
        return periods_of(shelf, site_id, now_ms=parts.now_ms())


@get("/sites/{site_id:str}/periods/{period:str}", sync_to_thread=True, responses=SITE)
def period(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    times: NamedDependency[When],
    *,
    period: FromPath[str],
) -> PeriodDetail:
    """Return one period, written ``2026-01-01..2026-06-30``, with what its document says."""
    demand_site(request.user, site_id)
    with parts.look(request.user, times) as look:
        return one_period(shelf_of(look, site_id, parts.periods), period)


@get(
    "/sites/{site_id:str}/periods/{period:str}/document",
    sync_to_thread=True,
    responses={**SITE, 200: _BYTES},
)
def document(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    period: FromPath[str],
    *,
    version: Version = None,
) -> Response[bytes]:
    """Return the frozen document in its canonical bytes: what was signed."""
    demand_site(request.user, site_id)
    data = document_bytes(parts, site_id, period, version)
    return Response(content=data, media_type="application/json")


def document_bytes(parts: Parts, site: str, period: str, version: int | None) -> bytes:
    """Return the canonical bytes of a version of a period.

    Raises:
        Refusal: `unknown-period` or `invalid-parameter`.
    """
    days = parse_period(period)
    versions = [one for one in parts.periods.store.frozen(site) if one.days == days]
    chosen = [one for one in versions if version in (None, one.version)]
    newest = max(chosen, key=lambda one: one.version, default=None)
    data = None if newest is None else parts.periods.store.document(newest.digest)
    if data is None:
        raise unknown_period(period)
    return data


@get("/reports/due", sync_to_thread=True, responses=LIST)
def due(request: ApiRequest, parts: NamedDependency[Parts]) -> DuePage:
    """Return what is due of the sites you may see, late or to come, by due day."""
    now_ms = parts.now_ms()
    with parts.look(request.user, When(as_of_ms=now_ms, known_at_ms=now_ms)) as look:
        return due_page(look, parts)


def due_page(look: Look, parts: Parts) -> DuePage:
    """Return what is due of every site that a reader may see."""
    found: list[DueView] = []
    at_ms = look.when.as_of_ms
    for site in look.snapshot.site_ids():
        if look.sees(site):
            shelf = shelf_of(look, site, parts.periods)
            found += due_of(shelf, site, on_day=day_of(at_ms), as_of_ms=at_ms)
    calendars = look.measure.tables.calendars
    return DuePage(
        items=tuple(sorted(found, key=lambda one: (one.due_on, one.site, one.duty))),
        calendar=None
        if calendars is None
        else f"{calendars.head.id} {calendars.head.version} ({calendars.head.status})",
    )


@get("/reports/{kind:str}", sync_to_thread=True, responses={**SITE, 200: _BYTES})
def report(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    kind: FromPath[str],
    times: NamedDependency[When],
    *,
    site: Annotated[str, QueryParameter(description="Which site.")],
    period: Annotated[str, QueryParameter(description="First and last day, FIRST..LAST.")],
    form: Annotated[
        Format, QueryParameter(name="format", description="csv, json or html.")
    ] = "json",
    version: Version = None,
) -> Response[bytes]:
    """Return a report of a site and a period; of the frozen document, or a draft."""
    asked = report_asked(
        kind, site, parse_period(period), version=version, known_at_ms=times.known_at_ms
    )
    return report_answer(request, parts, asked, form)


def report_asked(
    kind: str, site: str, days: tuple[date, date], *, version: int | None, known_at_ms: int
) -> ReportAsked:
    """Return which report an address asks for.

    Raises:
        Refusal: `invalid-parameter`.
    """
    if kind not in set(ReportKind):
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"there is no report {kind!r}",
            hint=f"one of {', '.join(ReportKind)}",
        )
    return ReportAsked(
        kind=ReportKind(kind),
        site=site,
        first_day=days[0],
        last_day=days[1],
        known_at_ms=known_at_ms,
        version=version,
    )


def report_answer(
    request: ApiRequest, parts: Parts, asked: ReportAsked, form: Format
) -> Response[bytes]:
    """Return a report as bytes; a table is offered as a file, a page is shown."""
    demand_site(request.user, asked.site)
    with parts.reads.snapshot() as snapshot:
        data = written(report_of(asked, parts.periods, snapshot, request.user), form)
    name = f"{asked.site}-{asked.first_day}-{asked.last_day}-{asked.kind}.{form}"
    kind = "inline" if form == "html" else "attachment"
    headers = {"content-disposition": f'{kind}; filename="{name}"'}
    return Response(content=data, media_type=MEDIA_TYPES[form], headers=headers)
