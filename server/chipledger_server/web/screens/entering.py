"""Entering one event: choose its kind, fill its form, see what it would change, confirm."""

from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import MediaType
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from chipledger_book.events import Event, event_id, read_event
from chipledger_book.imports.cells import time_text
from chipledger_book.terms import day_of
from chipledger_book.timers import TimerRow
from chipledger_server.usecases.book.entering import by_principal
from chipledger_server.usecases.book.event_words import event_words
from chipledger_server.usecases.book.forms import FORMS, WHOLE, Form
from chipledger_server.usecases.book.prefilled import prefilled
from chipledger_server.usecases.book.rights import may_enter
from chipledger_server.usecases.book.tried import Tried, enter_one, try_event
from chipledger_server.usecases.book.typed import MOST_BLOCKS, Typed, blocks_of, read_form
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing.events import event_of
from chipledger_server.web.context import Parts
from chipledger_server.web.rendering import Pages, Travel
from chipledger_server.web.screens.asking import Form as Sent
from chipledger_server.web.screens.asking import ScreenRequest, html, own_form

To = Annotated[str | None, QueryParameter(name="to")]
_CONTROL: Final = frozenset({"kind", "action", "shown"})


@get("/ledger/new", sync_to_thread=False, include_in_schema=False)
def choose(request: ScreenRequest, pages: NamedDependency[Pages]) -> Response[str]:
    """Show the kinds of event that the reader may enter."""
    role = request.user.role
    forms = [form for form in FORMS.values() if may_enter(role, form.kind)]
    page = pages.render("choose.html", reader=request.user, travel=None, forms=forms)
    return html(page)


@get("/ledger/new/{kind:str}", sync_to_thread=True, include_in_schema=False)
def empty_form(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    kind: FromPath[str],
    to: To = None,
) -> Response[str]:
    """Show the form of one kind of event, filled from the event that it answers."""
    form = _form(request, kind)
    first: Event | None = None
    if to is not None:
        with parts.look(request.user, travel.when) as look:
            first = _said(event_of(look, to).record)
    values = {
        "happened": time_text(parts.now_ms() // 1000 * 1000),
        **prefilled(kind, first, to or ""),
    }
    if request.user.sites is not None and len(request.user.sites) == 1:
        values.setdefault("site", next(iter(request.user.sites)))
    typed = Typed(values=values, blocks=blocks_of(values))
    return _shown(request, parts, pages, form=form, typed=typed)


@post("/ledger/check", sync_to_thread=True, include_in_schema=False, before_request=own_form)
def check(
    request: ScreenRequest, parts: NamedDependency[Parts], pages: NamedDependency[Pages], data: Sent
) -> Response[str]:
    """Show what an event would change, or what is wrong with it beside its fields."""
    form = _form(request, data.get("kind", ""))
    values = {name: text for name, text in data.items() if name not in _CONTROL}
    if data.get("action") in {"more", "edit"}:
        typed = Typed(values=values, blocks=blocks_of(values))
        if data.get("action") == "more":
            typed.blocks = min(MOST_BLOCKS, typed.blocks + 1)
        return _shown(request, parts, pages, form=form, typed=typed)
    typed = read_form(form, values)
    tried = _tried(request, parts, form, typed)
    if tried is None or typed.draft is None:
        return _shown(request, parts, pages, form=form, typed=typed)
    return _preview(request, parts, pages, form=form, typed=typed, tried=tried)


@post("/ledger/enter", sync_to_thread=True, include_in_schema=False, before_request=own_form)
def enter(
    request: ScreenRequest, parts: NamedDependency[Parts], pages: NamedDependency[Pages], data: Sent
) -> Response[Any]:
    """Enter the event that was shown, and lead to its page."""
    form = _form(request, data.get("kind", ""))
    values = {name: text for name, text in data.items() if name not in _CONTROL}
    typed = read_form(form, values)
    tried = _tried(request, parts, form, typed)
    if tried is None or typed.draft is None:
        return _shown(request, parts, pages, form=form, typed=typed)
    key = event_id(typed.draft.event)
    if key != data.get("shown"):
        return _preview(request, parts, pages, form=form, typed=typed, tried=tried)
    done = enter_one(
        typed.draft.event,
        parts.ledger,
        parts.measure.tables,
        parts.hand(request.user),
        speaking=by_principal(request.user),
    )
    if done.problems:
        typed.blame(form, done.problems)
        return _shown(request, parts, pages, form=form, typed=typed)
    return Response(
        content=b"",
        status_code=HTTPStatus.SEE_OTHER,
        headers={"location": f"/events/{key}?entered={'again' if done.known else 'now'}"},
    )


def _form(request: ScreenRequest, kind: str) -> Form:
    """Return the form of a kind of event that the reader may enter.

    Raises:
        Refusal: `not-found` or `forbidden`.
    """
    form = FORMS.get(kind)
    if form is None:
        raise Refusal(Code.NOT_FOUND, "there is no form for such an event", hint="/ledger/new")
    if not may_enter(request.user.role, kind):
        raise Refusal(
            Code.FORBIDDEN,
            f"an {request.user.role} enters no {kind}",
            hint="docs/BOOK.md, Entering events, says who enters what",
        )
    return form


def _said(record: Any) -> Event:  # noqa: ANN401 - the raw bytes of a record
    raw = msgspec.json.decode(bytes(record), type=dict[str, msgspec.Raw])
    return read_event(bytes(raw["event"]))


def _tried(request: ScreenRequest, parts: Parts, form: Form, typed: Typed) -> Tried | None:
    """Return what an event would do; None where something is wrong with it, beside its field."""
    if typed.draft is None:
        return None
    tried = try_event(
        typed.draft,
        parts.ledger,
        parts.measure.tables,
        parts.hand(request.user),
        speaking=by_principal(request.user),
    )
    typed.blame(form, tried.problems)
    return None if tried.problems else tried


def _shown(
    request: ScreenRequest, parts: Parts, pages: Pages, *, form: Form, typed: Typed
) -> Response[str]:
    """Return the form with what was typed and what is wrong; 422 where something is."""
    catalogue = parts.measure.tables.catalogue
    with parts.reads.snapshot() as snapshot:
        sites = [site for site in snapshot.site_ids() if request.user.may_read(site)]
    page = pages.render(
        "entry.html",
        reader=request.user,
        travel=None,
        form=form,
        typed=typed,
        whole=typed.mistakes.get(WHOLE, []),
        wrong=sum(map(len, typed.mistakes.values())),
        skus=sorted({row.sku for row in catalogue.skus}),
        units=sorted({row.model for row in catalogue.units}),
        sites=sites,
        timer=_timer(parts, form),
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY if typed.mistakes else HTTPStatus.OK
    return Response(content=page, media_type=MediaType.HTML, status_code=status)


def _preview(
    request: ScreenRequest,
    parts: Parts,
    pages: Pages,
    *,
    form: Form,
    typed: Typed,
    tried: Tried,
) -> Response[str]:
    if typed.draft is None:
        raise AssertionError("only what is an event is shown before it is entered")
    page = pages.render(
        "preview.html",
        reader=request.user,
        travel=None,
        form=form,
        typed=typed,
        tried=tried,
        event=typed.draft.event,
        key=event_id(typed.draft.event),
        words=event_words(typed.draft.event),
        timer=_timer(parts, form),
    )
    return Response(content=page, media_type=MediaType.HTML, status_code=HTTPStatus.OK)


def _timer(parts: Parts, form: Form) -> TimerRow | None:
    """Return how long the timer runs that an event starts today, if it starts one."""
    timers = parts.measure.tables.timers
    if timers is None or form.timer is None:
        return None
    return timers.limit(form.timer, day_of(parts.now_ms()))


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (choose, empty_form, check, enter)
"""Routes of this module."""
