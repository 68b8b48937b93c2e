"""Sampling a site: plan with live figures, commit, draw, print, import scans, conclude."""

import hashlib
from http import HTTPStatus
from typing import Any, Final

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from chipledger_book.counts.count_sheet import MAX_SHEET_BYTES
from chipledger_book.counts.words import percent
from chipledger_book.errors import BookError, Problem
from chipledger_server.usecases.access import Role, demand_site
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.sampling.concluding import conclude, take_sheet
from chipledger_server.usecases.sampling.drawing import Revealed, draw_sample, seed_in
from chipledger_server.usecases.sampling.planning import announce, commit_plan, try_plan
from chipledger_server.usecases.sampling.showing import (
    count_view,
    known_course,
    plan_view,
    sample_of,
    samples_of,
)
from chipledger_server.usecases.sampling.typed import asked_in
from chipledger_server.usecases.sampling.views import CountView
from chipledger_server.usecases.showing.sites import site_detail
from chipledger_server.web.api.samples import document_file, now, seen_course, sheet_file
from chipledger_server.web.context import Parts
from chipledger_server.web.rendering import Pages, Travel
from chipledger_server.web.screens.asking import Form, ScreenRequest, html, own_form
from chipledger_server.web.screens.importing import Upload, packed_file, unpacked_file

_ASKED: Final = ("hole", "confidence", "strata", "scope", "within")
_SHEET_FORM: Final = 2 * MAX_SHEET_BYTES


@get("/sites/{site_id:str}/samples", sync_to_thread=True, include_in_schema=False)
def samples_page(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    site_id: FromPath[str],
) -> Response[str]:
    """Show the samples of a site; to an auditor also what a plan would draw, before it is one."""
    demand_site(request.user, site_id)
    said = {name: request.query_params.get(name, "") for name in _ASKED}
    tried, wrong = None, None
    if request.user.role is Role.AUDITOR and said["hole"]:
        try:
            tried = try_plan(asked_in(site_id, said, travel.when), parts.samples)
        except (BookError, Refusal) as error:
            wrong = error
    with parts.look(request.user, travel.when) as look:
        page = pages.render(
            "samples.html",
            reader=request.user,
            travel=travel,
            site=site_detail(look, site_id).site,
            samples=samples_of(site_id, parts.samples, request.user).items,
            said=said,
            tried=tried,
            wrong=wrong,
            plan=None
            if tried is None
            else plan_view(tried.plan, "", chips=len(tried.population.units)),
            auditor=request.user.role is Role.AUDITOR,
            percent=percent,
        )
    return html(page)


@post(
    "/sites/{site_id:str}/samples/commit",
    sync_to_thread=True,
    include_in_schema=False,
    before_request=own_form,
)
def commit_form(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    data: Form,
    *,
    site_id: FromPath[str],
) -> Response[Any]:
    """Commit to plan and seed; show a seed that the collector made, this once."""
    ask = asked_in(site_id, data, now(parts))
    made = commit_plan(ask, parts.samples, parts.hand(request.user), request.user)
    if made.seed is None:
        return _to(site_id, made.planned.id)
    page = pages.render(
        "sample_seed.html",
        reader=request.user,
        travel=None,
        site=site_id,
        key=made.planned.id,
        seed=made.seed.hex(),
        commitment=made.planned.plan.commitment,
    )
    return html(page)


@get("/sites/{site_id:str}/samples/{sample:str}", sync_to_thread=True, include_in_schema=False)
def sample_page(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    *,
    site_id: FromPath[str],
    sample: FromPath[str],
) -> Response[str]:
    """Show one sample: how far it is, what was drawn and heard, and the piles of its count."""
    return html(_page(request, parts, pages, site=site_id, key=sample))


@post(
    "/sites/{site_id:str}/samples/{sample:str}/announce",
    sync_to_thread=True,
    include_in_schema=False,
    before_request=own_form,
)
def announce_form(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    *,
    site_id: FromPath[str],
    sample: FromPath[str],
) -> Response[Any]:
    """Let the operator know; lead back."""
    announce(site_id, sample, parts.samples, parts.hand(request.user), who=request.user)
    return _to(site_id, sample)


@post(
    "/sites/{site_id:str}/samples/{sample:str}/draw",
    sync_to_thread=True,
    include_in_schema=False,
    before_request=own_form,
)
def draw_form(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    data: Form,
    *,
    site_id: FromPath[str],
    sample: FromPath[str],
) -> Response[Any]:
    """Show the seed: it draws, once; lead to what was drawn."""
    ask = Revealed(
        site=site_id,
        sample=sample,
        seed=seed_in(data.get("seed", "")),
        changed=data.get("changed", "").strip() or None,
    )
    draw_sample(ask, parts.samples, parts.hand(request.user), request.user)
    return _to(site_id, sample)


@get(
    "/sites/{site_id:str}/samples/{sample:str}/paper", sync_to_thread=True, include_in_schema=False
)
def paper(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    *,
    site_id: FromPath[str],
    sample: FromPath[str],
) -> Response[str]:
    """Show the count sheet for paper."""
    course = seen_course(request, parts, site_id, sample)
    drawn = course.sample
    if drawn is None:
        raise Refusal(Code.NOT_DRAWN, "nothing was drawn by this plan yet", hint="draw first")
    page = pages.render(
        "count_sheet.html",
        reader=request.user,
        travel=None,
        course=course,
        sample=drawn,
        now_ms=parts.now_ms(),
    )
    return html(page)


@get(
    "/sites/{site_id:str}/samples/{sample:str}/files/{name:str}",
    sync_to_thread=True,
    include_in_schema=False,
)
def sample_file(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    *,
    site_id: FromPath[str],
    sample: FromPath[str],
    name: FromPath[str],
) -> Response[bytes]:
    """Hand out a document of a sample, or its empty sheet: ``sheet.csv``, ``plan.json``."""
    course = seen_course(request, parts, site_id, sample)
    stem, _, form = name.rpartition(".")
    if stem == "empty-sheet":
        return sheet_file(course, form)
    return document_file(course, parts, stem)


@post(
    "/sites/{site_id:str}/samples/{sample:str}/check",
    sync_to_thread=True,
    include_in_schema=False,
    request_max_body_size=MAX_SHEET_BYTES + 65_536,
    before_request=own_form,
)
def check_sheet(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    data: Upload,
    *,
    site_id: FromPath[str],
    sample: FromPath[str],
) -> Response[Any]:
    """Show the piles that a filled sheet would give; nothing is written."""
    file = data.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise Refusal(Code.INVALID_PARAMETER, "no file was sent", hint="choose a file")
    content = file.file.read(MAX_SHEET_BYTES + 1)
    hand = parts.hand(request.user)
    try:
        found = take_sheet(
            site_id, sample, content, parts.samples, hand=hand, who=request.user, dry_run=True
        )
    except BookError as error:
        page = _page(request, parts, pages, site=site_id, key=sample, problems=error.problems)
        return Response(
            content=page,
            media_type=MediaType.HTML,
            status_code=HTTPStatus.UNPROCESSABLE_ENTITY,
        )
    course = known_course(site_id, sample, parts.samples, request.user)
    with parts.look(request.user, now(parts)) as look:
        shown = count_view(found, course.planned.plan, look)
    return html(
        _page(request, parts, pages, site=site_id, key=sample, tried=shown, content=content)
    )


@post(
    "/sites/{site_id:str}/samples/{sample:str}/take",
    sync_to_thread=True,
    include_in_schema=False,
    request_max_body_size=_SHEET_FORM,
    before_request=own_form,
)
def take_form(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    data: Form,
    *,
    site_id: FromPath[str],
    sample: FromPath[str],
) -> Response[Any]:
    """Take the sheet that was shown; lead to its piles."""
    content = unpacked_file(data.get("packed", ""))
    hand = parts.hand(request.user)
    take_sheet(site_id, sample, content, parts.samples, hand=hand, who=request.user, dry_run=False)
    return _to(site_id, sample)


@post(
    "/sites/{site_id:str}/samples/{sample:str}/conclude",
    sync_to_thread=True,
    include_in_schema=False,
    before_request=own_form,
)
def conclude_form(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    data: Form,
    *,
    site_id: FromPath[str],
    sample: FromPath[str],
) -> Response[Any]:
    """State what the count came to; lead to the sample, which links the event."""
    hand = parts.hand(request.user)
    name = data.get("inspector", "")
    conclude(site_id, sample, parts.samples, hand, who=request.user, inspector=name)
    return _to(site_id, sample)


def _page(
    request: ScreenRequest,
    parts: Parts,
    pages: Pages,
    *,
    site: str,
    key: str,
    problems: tuple[Problem, ...] = (),
    tried: CountView | None = None,
    content: bytes = b"",
) -> str:
    """Return the page of a sample; it carries a tried sheet where it can be taken."""
    with parts.look(request.user, now(parts)) as look:
        return pages.render(
            "sample.html",
            reader=request.user,
            travel=None,
            site=site_detail(look, site).site,
            shown=sample_of(site, key, parts.samples, look, who=request.user),
            auditor=request.user.role is Role.AUDITOR,
            problems=problems,
            tried=tried,
            packed=packed_file(content) if tried is not None else "",
            digest=hashlib.sha256(content).hexdigest(),
            now_ms=parts.now_ms(),
            percent=percent,
        )


def _to(site: str, key: str) -> Response[Any]:
    return Response(
        content=b"",
        status_code=HTTPStatus.SEE_OTHER,
        headers={"location": f"/sites/{site}/samples/{key}"},
    )


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (
    *(samples_page, commit_form, sample_page, announce_form, draw_form, paper, sample_file),
    *(check_sheet, take_form, conclude_form),
)
"""Routes of this module."""
