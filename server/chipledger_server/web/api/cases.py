"""Findings as cases: lists with filters, one with its trail, what to do about it, and exports."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Stream

from chipledger_book.cases import Action
from chipledger_book.terms import Document
from chipledger_server.usecases.access import demand_site
from chipledger_server.usecases.case_views import FindingsPage, FindingView, TrailPage
from chipledger_server.usecases.cases import Wanted, act
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.showing.findings import finding as one_finding
from chipledger_server.usecases.showing.findings import list_findings
from chipledger_server.usecases.showing.trails import (
    ALL,
    Filters,
    asked,
)
from chipledger_server.usecases.showing.trails import trail as steps_of
from chipledger_server.usecases.times import until_ms, when
from chipledger_server.web.api.asking import ONE, SITE, ApiRequest, next_cursor, problems
from chipledger_server.web.context import Paging, Parts
from chipledger_server.web.exports import CSV, JSON, exported

_AFTER_ALL = 2**53

State = Annotated[
    str,
    QueryParameter(
        name="state",
        description=(
            "`all` (leaves nothing out), `attention` (open, acknowledged, explained), or a state:"
            " open, acknowledged, explained, accepted, closed, resolved."
        ),
    ),
]
OfSeverity = Annotated[str, QueryParameter(name="severity", description="Only of this severity.")]
OfKind = Annotated[str, QueryParameter(name="type", description="Only of this type.")]
OfSite = Annotated[str, QueryParameter(name="site", description="Only of this site.")]
OfHost = Annotated[str, QueryParameter(name="host", description="Only of this host.")]
OfOwner = Annotated[
    str, QueryParameter(name="owner", description="Only those this principal is answerable for.")
]
Older = Annotated[
    str, QueryParameter(name="older", description="Only those opened longer ago: `7d`.")
]
Late = Annotated[
    bool, QueryParameter(name="late", description="Only those for which somebody is late now.")
]


class StepAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of a case.

    Attributes:
        action: acknowledge, explain, reject, accept, close, confirm, decline, reopen, assign,
            or comment.
        reason: why; most steps need one.
        evidence: papers, by the SHA-256 of their bytes in hex; an explanation needs one.
        owner: who is to be answerable, with `assign` and `explain`.
        expires: until when it holds, with `explain` and `accept`: a day (its end, UTC), an RFC
            3339 time, milliseconds, or a span from now (`90d`).
        request: a name of this request; sending it again changes nothing.
        version: `version` of the finding that was seen; refused if it has changed since.
    """

    action: Action
    reason: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    evidence: tuple[Document, ...] = ()
    owner: Annotated[str, msgspec.Meta(max_length=128)] | None = None
    expires: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    request: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None = None
    version: int | None = None


def provide_filters(
    *,
    in_state: State = ALL,
    of_severity: OfSeverity = "",
    of_kind: OfKind = "",
    of_site: OfSite = "",
    of_host: OfHost = "",
    of_owner: OfOwner = "",
    older: Older = "",
    is_late: Late = False,
) -> Filters:
    """Return the filters of an address."""
    return Filters(
        state=in_state,
        severity=of_severity,
        kind=of_kind,
        site=of_site,
        host=of_host,
        owner=of_owner,
        older=older,
        late=is_late,
    )


@get("/findings", sync_to_thread=True, responses=SITE)
def findings(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    page: NamedDependency[Paging],
    filters: NamedDependency[Filters],
) -> FindingsPage:
    """Return findings, newest first; all of them unless a state is asked for."""
    if filters.site:
        demand_site(request.user, filters.site)
    place = page.place("findings", parts.now_ms(), first=(_AFTER_ALL, ""))
    after = (int(place.after[0]), str(place.after[1]))
    with parts.look(request.user, place.when) as look:
        items = list_findings(look, asked(look, filters), after=after, limit=page.limit)
    return FindingsPage(
        items=tuple(items),
        next=next_cursor(place, items, page.limit, lambda one: (one.opened_ms, one.id)),
        as_of_ms=place.as_of_ms,
        known_at_ms=place.known_at_ms,
        state=filters.state,
    )


@get("/findings/{finding_id:str}", sync_to_thread=True, responses=ONE)
def finding(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    finding_id: FromPath[str],
    times: NamedDependency[When],
) -> FindingView:
    """Return one finding."""
    with parts.look(request.user, times) as look:
        return one_finding(look, finding_id)


@get("/findings/{finding_id:str}/trail", sync_to_thread=True, responses=ONE)
def trail(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    finding_id: FromPath[str],
    times: NamedDependency[When],
) -> TrailPage:
    """Return everything that has happened to a finding: who, when, what, why."""
    with parts.look(request.user, times) as look:
        found = one_finding(look, finding_id)
        return TrailPage(finding=found.id, items=steps_of(look, found.id))


@post(
    "/findings/{finding_id:str}/actions",
    sync_to_thread=True,
    status_code=200,
    responses=problems(400, 401, 403, 404, 409),
)
def actions(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    finding_id: FromPath[str],
    data: JSONBody[StepAsked],
) -> FindingView:
    """Take one step of a finding's case, and return it as it is then."""
    now_ms = parts.now_ms()
    wanted = Wanted(
        finding=finding_id,
        action=data.action,
        reason=data.reason,
        evidence=data.evidence,
        owner=data.owner,
        expires_ms=None if data.expires is None else until_ms(data.expires, now_ms=now_ms),
        request=data.request,
        version=data.version,
    )
    act(wanted, parts.cases, parts.hand(request.user), request.user, ttl_s=parts.proposal_ttl_s)
    with parts.look(request.user, when(None, None, now_ms=parts.now_ms())) as look:
        return one_finding(look, finding_id)


@get("/exports/findings.json", sync_to_thread=True, media_type=JSON, responses=SITE)
def export_json(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    times: NamedDependency[When],
    filters: NamedDependency[Filters],
) -> Stream:
    """Return every finding with its whole trail, as JSON; settled ones too."""
    return exported(request.user, parts, times, filters)


@get("/exports/findings.csv", sync_to_thread=True, media_type=CSV, responses=SITE)
def export_csv(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    times: NamedDependency[When],
    filters: NamedDependency[Filters],
) -> Stream:
    """Return every step of every finding, one a row, as CSV; of settled ones too."""
    return exported(request.user, parts, times, filters, form="csv")
