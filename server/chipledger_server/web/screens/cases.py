"""The queue of findings, and one finding: what was seen, who owes what, and what you may do."""

import hashlib
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import MediaType, RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body, FromPath
from litestar.response import Stream

from chipledger_book.cases import FACTS, LONGEST_MS, Action, CaseRole, allowed, who_may
from chipledger_book.cases.machine import MAY
from chipledger_book.errors import BookError
from chipledger_book.terms import Document
from chipledger_evidence.codec import b64url_encode
from chipledger_server.domain.findings import Severity
from chipledger_server.usecases.access import Principal, Role, demand_site
from chipledger_server.usecases.case_views import FindingView
from chipledger_server.usecases.cases import Wanted, act, actor_of, unknown
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.findings import finding, worst_first
from chipledger_server.usecases.showing.pages import Place, cursor, open_cursor
from chipledger_server.usecases.showing.trails import ATTENTION, STATES, Filters, asked, trail
from chipledger_server.usecases.times import until_ms, when
from chipledger_server.web.context import Parts
from chipledger_server.web.exports import exported
from chipledger_server.web.problems import problem_of
from chipledger_server.web.rendering import Pages, Travel
from chipledger_server.web.screens.asking import ScreenRequest, html, own_form

SHOWN: Final = 50
_MOST_BULK: Final = SHOWN
_QUEUE: Final = "queue"
_FIRST: Final = (99, -1, "")
_MAX_PAPERS: Final = 16
_FORM_BYTES: Final = 64 * 1024 * 1024
_SHA256: Final = 64
_RANKS: Final = {str(name): place for place, name in enumerate(Severity)}
FileForm = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)]
ManyForm = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]


@get("/findings", sync_to_thread=True, include_in_schema=False)
def queue(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
) -> Response[str]:
    """Show what needs attention, worst and oldest first; every other state by its name."""
    filters = _filters(request.query_params)
    if filters.site:
        demand_site(request.user, filters.site)
    after = _after(request.query_params.get("after"))
    with parts.look(request.user, travel.when) as look:
        question = asked(look, filters)
        found = worst_first(look, question, limit=SHOWN + 1, after=after)
        counts = look.snapshot.tally_findings(asked(look, _without_state(filters)))
    shown = found[:SHOWN]
    page = pages.render(
        "findings.html",
        reader=request.user,
        travel=travel,
        found=shown,
        filters=filters,
        kept=_kept(filters),
        counts=_counts(counts),
        severities=[str(one) for one in reversed(Severity)],
        more=_cursor(shown[-1], travel) if len(found) > SHOWN else None,
        first=after is None,
        may_acknowledge=request.user.role is Role.OPERATOR,
        request_name=_name(parts),
    )
    return html(page)


@get("/findings/export.csv", sync_to_thread=True, include_in_schema=False)
def queue_csv(
    request: ScreenRequest, parts: NamedDependency[Parts], travel: NamedDependency[Travel]
) -> Stream:
    """Hand out everything that the filters ask for, every step of it, as CSV."""
    filters = _filters(request.query_params)
    return exported(request.user, parts, travel.when, filters, form="csv")


@get("/findings/{finding_id:str}", sync_to_thread=True, include_in_schema=False)
def finding_page(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    finding_id: FromPath[str],
) -> Response[str]:
    """Show one finding with its trail, and the steps its reader may take."""
    with parts.look(request.user, travel.when) as look:
        page = _page(look, pages, travel, finding_id, who=request.user, name=_name(parts))
    return html(page)


@post(
    "/findings/{finding_id:str}/act",
    sync_to_thread=True,
    include_in_schema=False,
    request_max_body_size=_FORM_BYTES,
    before_request=own_form,
)
def finding_step(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    data: FileForm,
    finding_id: FromPath[str],
) -> Response[str]:
    """Take one step, and show the finding as it is then; or say why not, with what was typed."""
    try:
        wanted = _wanted(finding_id, data, now_ms=parts.now_ms())
        act(wanted, parts.cases, parts.hand(request.user), request.user, ttl_s=parts.proposal_ttl_s)
    except (BookError, Refusal) as error:
        problem = problem_of(error)
        now = when(None, None, now_ms=parts.now_ms())
        with parts.look(request.user, now) as look:
            page = _page(
                look,
                pages,
                travel,
                finding_id,
                who=request.user,
                name=_name(parts),
                problem=problem,
                typed={name: value for name, value in data.items() if isinstance(value, str)},
            )
        return Response(content=page, media_type=MediaType.HTML, status_code=problem.status)
    return _see(f"/findings/{finding_id}")


@post(
    "/findings/acknowledge",
    sync_to_thread=True,
    include_in_schema=False,
    before_request=own_form,
)
def acknowledge_many(
    request: ScreenRequest, parts: NamedDependency[Parts], data: ManyForm
) -> Response[str]:
    """Acknowledge every finding that was ticked; one that moved on meanwhile is left as it is."""
    ticked = data.get("finding", [])
    chosen = [ticked] if isinstance(ticked, str) else list(ticked)
    if not chosen:
        raise Refusal(Code.INVALID_PARAMETER, "no finding was ticked", hint="tick some first")
    for key in chosen[:_MOST_BULK]:
        wanted = Wanted(finding=str(key), action=Action.ACKNOWLEDGE, request=data.get("request"))
        try:
            act(
                wanted,
                parts.cases,
                parts.hand(request.user),
                request.user,
                ttl_s=parts.proposal_ttl_s,
            )
        except BookError as error:
            if problem_of(error).status != HTTPStatus.CONFLICT:
                raise
    return _see("/findings")


def _page(
    look: Look,
    pages: Pages,
    travel: Travel,
    key: str,
    *,
    who: Principal,
    name: str,
    **more: Any,  # noqa: ANN401 - what a refused form leaves for the template
) -> str:
    found = finding(look, key)
    row = look.snapshot.finding(key, look.when)
    if row is None:
        raise unknown(key)
    now_ms = look.when.seen_until_ms
    may = allowed(row.case, actor_of(who), site=row.site, now_ms=now_ms) if travel.now else ()
    return pages.render(
        "finding.html",
        reader=who,
        travel=travel,
        found=found,
        trail=trail(look, key),
        may=[str(action) for action in may],
        others=_others(row.case, may, who, now_ms=now_ms),
        longest_days=LONGEST_MS // 86_400_000,
        request_name=name,
        problem=more.get("problem"),
        typed=more.get("typed", {}),
    )


def _others(
    case: Any,  # noqa: ANN401 - a case
    may: Sequence[Action],
    who: Principal,
    *,
    now_ms: int,
) -> list[tuple[str, str]]:
    """Return the steps that are possible now and not this reader's, with who may take them."""
    found = []
    for action in Action:
        if action in FACTS or action in may:
            continue
        roles = who_may(case, action, now_ms=now_ms)
        same = CaseRole(str(who.role)) in MAY[action]
        second = action is Action.CONFIRM and same
        if roles and (second or not same):
            told = "another auditor" if second else " or ".join(f"an {role}" for role in roles)
            found.append((str(action), told))
    return found


def _wanted(key: str, data: Mapping[str, Any], *, now_ms: int) -> Wanted:
    action = _text(data, "action")
    if action not in set(Action):
        raise Refusal(Code.INVALID_PARAMETER, f"{action!r} is no step", hint="use the forms")
    expires, version = _text(data, "expires"), _text(data, "version")
    return Wanted(
        finding=key,
        action=Action(action),
        reason=_text(data, "reason") or None,
        evidence=_papers(data),
        owner=_text(data, "owner") or None,
        expires_ms=until_ms(expires, now_ms=now_ms) if expires else None,
        request=_text(data, "request")[:128] or None,
        version=int(version) if version.isdecimal() and len(version) < _MAX_PAPERS else None,
    )


def _papers(data: Mapping[str, Any]) -> tuple[Document, ...]:
    """Return the papers of a form: files, of which only the digest is kept, and digests."""
    given = data.get("papers", [])
    files = [one for one in (given if isinstance(given, list) else [given]) if _is_file(one)]
    found = [
        Document(sha256=hashlib.file_digest(one.file, "sha256").hexdigest(), title=one.filename)
        for one in files[:_MAX_PAPERS]
    ]
    for line in _text(data, "digests").splitlines():
        digest, _, title = line.strip().partition(" ")
        if not digest:
            continue
        if len(digest) != _SHA256 or set(digest) - set("0123456789abcdef"):
            raise Refusal(
                Code.INVALID_PARAMETER,
                f"{digest[:80]!r} is no SHA-256 digest",
                hint="64 digits in lower case, as sha256sum prints them, then a title",
            )
        found.append(Document(sha256=digest, title=title.strip()[:512]))
    return tuple(found)


def _is_file(one: object) -> bool:
    return isinstance(one, UploadFile) and bool(one.filename)


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value.strip() if isinstance(value, str) else ""


def _filters(query: Any) -> Filters:  # noqa: ANN401 - the framework's own mapping
    return Filters(
        state=query.get("state") or ATTENTION,
        severity=query.get("severity") or "",
        kind=query.get("type") or "",
        site=query.get("site") or "",
        host=query.get("host") or "",
        owner=query.get("owner") or "",
        older=query.get("older") or "",
        late=query.get("late") == "true",
    )


def _without_state(filters: Filters) -> Filters:
    return Filters(
        severity=filters.severity,
        kind=filters.kind,
        site=filters.site,
        host=filters.host,
        owner=filters.owner,
        older=filters.older,
        late=filters.late,
    )


def _kept(filters: Filters) -> dict[str, str]:
    """Return the filters but the state, as an address says them."""
    said = {
        "severity": filters.severity,
        "type": filters.kind,
        "site": filters.site,
        "host": filters.host,
        "owner": filters.owner,
        "older": filters.older,
        "late": "true" if filters.late else "",
    }
    return {name: value for name, value in said.items() if value}


def _counts(tally: Mapping[str, Mapping[str, int]]) -> list[tuple[str, int]]:
    """Return how many findings each choice of the state filter shows."""
    by_state = {state: sum(found.values()) for state, found in tally.items()}
    needs = sum(by_state.get(state, 0) for state in ("open", "acknowledged", "explained"))
    totals = {ATTENTION: needs, "all": sum(by_state.values())}
    return [(state, totals.get(state, by_state.get(state, 0))) for state in STATES]


def _after(text: str | None) -> tuple[int, int, str] | None:
    if not text:
        return None
    rank, opened, key = open_cursor(text, _QUEUE, shape=(int, int, str)).after
    return int(rank), int(opened), str(key)


def _cursor(last: FindingView, travel: Travel) -> str:
    return cursor(
        Place(
            collection=_QUEUE,
            as_of_ms=travel.when.as_of_ms,
            known_at_ms=travel.when.known_at_ms,
            after=(_RANKS[last.severity], last.opened_ms, last.id),
        )
    )


def _name(parts: Parts) -> str:
    """Return a name for the next request of a page, so that sending it twice changes nothing."""
    return b64url_encode(parts.entropy(12))


def _see(address: str) -> Response[str]:
    return Response(content="", status_code=HTTPStatus.SEE_OTHER, headers={"location": address})


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (
    *(queue, queue_csv, finding_page, finding_step, acknowledge_many),
)
"""Routes of this module."""
