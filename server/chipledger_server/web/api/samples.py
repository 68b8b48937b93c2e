"""Samples of a site: plan and commit, reveal and draw, the sheet, the count, the statement."""

from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, TypeVar

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter, RawBody

from chipledger_book.counts.count_sheet import MAX_SHEET_BYTES, sheet_of, write_csv, write_json
from chipledger_book.counts.sampling import Hole, Scope, Split
from chipledger_book.errors import BookError
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.ids import Digest
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.sampling.concluding import Course, conclude, take_sheet
from chipledger_server.usecases.sampling.drawing import (
    Revealed,
    draw_sample,
    population_of,
    seed_in,
)
from chipledger_server.usecases.sampling.planning import (
    ANSWER_WITHIN_MS,
    Asked,
    announce,
    commit_plan,
    demand_auditor,
    try_plan,
)
from chipledger_server.usecases.sampling.showing import (
    count_view,
    known_course,
    may_see_drawn,
    plan_view,
    sample_of,
    samples_of,
)
from chipledger_server.usecases.sampling.views import (
    CountView,
    PlanView,
    SampleDetail,
    SamplesPage,
)
from chipledger_server.web.api.asking import SITE, ApiRequest, problems
from chipledger_server.web.api.entering import EntryAnswer, refused
from chipledger_server.web.context import Parts

DryRun = Annotated[bool, QueryParameter(description="Say what would happen; write nothing.")]
Document = Literal["population", "plan", "sample", "sheet", "count"]
T = TypeVar("T", bound=msgspec.Struct)
_BODY: Final = 65_536


class PlanAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sample is to find.

    Attributes:
        hole: what must not go unseen: so many `chips`, a `share` in millionths, or `tpp`.
        confidence_ppm: probability of finding it, in millionths.
        commitment: SHA-256 of your 32-byte seed, hex; without it the collector makes a seed.
        answer_within_ms: how long after the draw a chip may take to answer.
    """

    hole: Hole
    confidence_ppm: int = 950_000
    split: tuple[Split, ...] = ("sku", "grade")
    scope: Scope = "population"
    commitment: str | None = None
    answer_within_ms: int = ANSWER_WITHIN_MS


class DrawAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The seed that was committed to, and why it is drawn if the population changed since."""

    seed: str
    population_changed: str | None = None


class ConcludeAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who counted on the floor."""

    inspector: str


class PlanTried(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A plan, committed to or tried.

    Attributes:
        committed: whether it stands in the log.
        states: chips of the population by their state in the balance.
        left_out: chips claimed here that count elsewhere.
        seed: the seed that the collector made; said once and kept nowhere.
    """

    committed: bool
    plan: PlanView
    states: dict[str, int]
    left_out: int
    seed: str | None


_POST: Final = {**problems(400, 401, 403, 404, 409)}
_FILE: Final = ResponseSpec(
    data_container=bytes,
    media_type="application/octet-stream",
    description="The document; names others by the digest of exactly their canonical bytes.",
    generate_examples=False,
)


@get("/sites/{site_id:str}/samples", sync_to_thread=True, responses=SITE)
def samples(
    request: ApiRequest, parts: NamedDependency[Parts], site_id: FromPath[str]
) -> SamplesPage:
    """Return the samples of a site, newest first; to an operator those that were announced."""
    return samples_of(site_id, parts.samples, request.user)


@post(
    "/sites/{site_id:str}/samples",
    sync_to_thread=True,
    status_code=HTTPStatus.CREATED,
    request_max_body_size=_BODY,
    responses=_POST,
)
def plan(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    times: NamedDependency[When],
    *,
    body: RawBody,
    dry_run: DryRun = False,  # a query parameter
) -> PlanTried:
    """Plan a sample: freeze the population, and commit to plan and seed in the log."""
    demand_auditor(request.user, site_id)
    said = _read(body, PlanAsked)
    ask = Asked(
        site=site_id,
        hole=said.hole,
        confidence_ppm=said.confidence_ppm,
        when=times,
        split=said.split,
        scope=said.scope,
        commitment=said.commitment,
        answer_within_ms=said.answer_within_ms,
    )
    if dry_run:
        tried = try_plan(ask, parts.samples)
        chips = len(tried.population.units)
        return PlanTried(
            committed=False,
            plan=plan_view(tried.plan, tried.plan.population, chips=chips),
            states=dict(tried.frame.states),
            left_out=tried.frame.left_out,
            seed=None,
        )
    made = commit_plan(ask, parts.samples, parts.hand(request.user), request.user)
    return PlanTried(
        committed=True,
        plan=plan_view(made.planned.plan, made.planned.id, chips=made.planned.chips),
        states=dict(made.frame.states),
        left_out=made.frame.left_out,
        seed=None if made.seed is None else made.seed.hex(),
    )


@get("/sites/{site_id:str}/samples/{sample:str}", sync_to_thread=True, responses=SITE)
def sample(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    sample: FromPath[str],
) -> SampleDetail:
    """Return one sample: its plan, what was drawn and heard, and the four piles of its count."""
    return _detail(request, parts, site_id, sample)


@post(
    "/sites/{site_id:str}/samples/{sample:str}/announce",
    sync_to_thread=True,
    status_code=HTTPStatus.OK,
    request_max_body_size=_BODY,
    responses=_POST,
)
def announcement(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    sample: FromPath[str],
) -> SampleDetail:
    """Let the operator know that a count is coming; not of what."""
    announce(site_id, sample, parts.samples, parts.hand(request.user), who=request.user)
    return _detail(request, parts, site_id, sample)


@post(
    "/sites/{site_id:str}/samples/{sample:str}/draw",
    sync_to_thread=True,
    status_code=HTTPStatus.OK,
    request_max_body_size=_BODY,
    responses=_POST,
)
def drawing(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    sample: FromPath[str],
    *,
    body: RawBody,
) -> SampleDetail:
    """Show the seed: it draws, once."""
    demand_auditor(request.user, site_id)
    said = _read(body, DrawAsked)
    ask = Revealed(
        site=site_id, sample=sample, seed=seed_in(said.seed), changed=said.population_changed
    )
    draw_sample(ask, parts.samples, parts.hand(request.user), request.user)
    return _detail(request, parts, site_id, sample)


@get(
    "/sites/{site_id:str}/samples/{sample:str}/sheet",
    sync_to_thread=True,
    responses={**SITE, **problems(409), 200: _FILE},
)
def sheet(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    sample: FromPath[str],
    *,
    form: Annotated[
        Literal["csv", "json"], QueryParameter(name="format", description="csv or json.")
    ] = "csv",
) -> Response[bytes]:
    """Return the count sheet of the drawn chips, to be filled offline."""
    course = seen_course(request, parts, site_id, sample)
    return sheet_file(course, form)


@get(
    "/sites/{site_id:str}/samples/{sample:str}/documents/{name:str}",
    sync_to_thread=True,
    responses={**SITE, **problems(409), 200: _FILE},
)
def document(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    sample: FromPath[str],
    *,
    name: FromPath[str],
) -> Response[bytes]:
    """Return population, plan, sample, the newest sheet or the count, byte for byte."""
    return document_file(seen_course(request, parts, site_id, sample), parts, name)


@post(
    "/sites/{site_id:str}/samples/{sample:str}/count",
    sync_to_thread=True,
    status_code=HTTPStatus.OK,
    request_max_body_size=MAX_SHEET_BYTES,
    responses={**_POST, **problems(413)},
)
def counting(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    sample: FromPath[str],
    *,
    body: RawBody,
    dry_run: DryRun = False,  # a query parameter
) -> CountView:
    """Take a filled sheet, CSV or JSON, whole or not at all; the newest one holds."""
    hand = parts.hand(request.user)
    try:
        found = take_sheet(
            site_id, sample, body, parts.samples, hand=hand, who=request.user, dry_run=dry_run
        )
    except BookError as error:
        return refused(error.problems)  # type: ignore[return-value] # the problem document
    course = known_course(site_id, sample, parts.samples, request.user)
    with parts.look(request.user, now(parts)) as look:
        return count_view(found, course.planned.plan, look)


@post(
    "/sites/{site_id:str}/samples/{sample:str}/conclude",
    sync_to_thread=True,
    status_code=HTTPStatus.OK,
    request_max_body_size=_BODY,
    responses=_POST,
)
def conclusion(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    site_id: FromPath[str],
    sample: FromPath[str],
    *,
    body: RawBody,
) -> EntryAnswer:
    """State what the count came to, as an event of the ledger."""
    demand_auditor(request.user, site_id)
    entered = conclude(
        site_id,
        sample,
        parts.samples,
        parts.hand(request.user),
        who=request.user,
        inspector=_read(body, ConcludeAsked).inspector,
    )
    with parts.reads.snapshot() as snapshot:
        index = snapshot.log_index((entered.id,)).get(entered.id)
    return EntryAnswer(id=Digest(entered.id), known_before=entered.known_before, log_index=index)


def now(parts: Parts) -> When:
    """Return the two times of a question about now."""
    at_ms = parts.now_ms()
    return When(as_of_ms=at_ms, known_at_ms=at_ms)


def seen_course(request: ApiRequest, parts: Parts, site: str, key: str) -> Course:
    """Return the course of a sample whose drawn chips a reader may know.

    Raises:
        Refusal: `outside-scope`, `unknown-sample`, `forbidden`.
    """
    course = known_course(site, key, parts.samples, request.user)
    if not may_see_drawn(course, request.user):
        raise Refusal(
            Code.FORBIDDEN,
            "what is drawn is not shown before it was counted",
            hint="the result stands here once the auditor has concluded",
        )
    return course


def sheet_file(course: Course, form: str) -> Response[bytes]:
    """Return the empty sheet of a sample as a file.

    Raises:
        Refusal: `not-drawn`.
    """
    drawn = course.sample
    if drawn is None:
        raise Refusal(Code.NOT_DRAWN, "nothing was drawn by this plan yet", hint="draw first")
    made = sheet_of(drawn)
    text = write_json(made) if form == "json" else write_csv(made)
    kind = "application/json" if form == "json" else "text/csv; charset=utf-8"
    return _file(text.encode(), kind, f"{drawn.site}-count-{course.planned.id[:12]}.{form}")


def document_file(course: Course, parts: Parts, name: str) -> Response[bytes]:
    """Return one document of a sample as a file.

    Raises:
        Refusal: `not-found`.
    """
    planned = course.planned
    made: dict[str, bytes | None] = {
        "plan": encode_canonical(planned.plan),
        "sample": None if course.drawn is None else course.drawn.body,
        "sheet": course.sheets[-1].body if course.sheets else None,
        "count": None if course.concluded is None else course.concluded.body,
    }
    if name == "population":
        made[name] = encode_canonical(population_of(planned, parts.samples))
    data = made.get(name)
    if data is None:
        raise Refusal(
            Code.NOT_FOUND,
            f"this sample has no document {name!r} yet",
            hint="population, plan, sample, sheet or count",
        )
    kind, end = ("application/json", "json") if data[:1] == b"{" else ("text/csv", "csv")
    return _file(data, kind, f"{planned.site}-{name}-{planned.id[:12]}.{end}")


def _file(data: bytes, kind: str, name: str) -> Response[bytes]:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(content=data, media_type=kind, headers=headers)


def _detail(request: ApiRequest, parts: Parts, site: str, key: str) -> SampleDetail:
    with parts.look(request.user, now(parts)) as look:
        return sample_of(site, key, parts.samples, look, who=request.user)


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"the body is not what is asked for: {error}"[:400],
            hint="docs/OPERATIONS.md, Counting on the floor",
        ) from error


STRUCTS: Final[tuple[Any, ...]] = (SamplesPage, SampleDetail, PlanTried, CountView)
"""What the routes answer with."""
ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (
    *(samples, plan, sample, announcement, drawing, sheet, document, counting, conclusion),
)
"""Routes of this module."""
