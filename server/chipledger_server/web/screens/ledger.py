"""The ledger in a list: every event, whose word it stands on, and what was corrected."""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from chipledger_book.events import Correction, LedgerRecord
from chipledger_book.statements import Role as Speaks
from chipledger_book.stock import ALWAYS
from chipledger_server.usecases.access import Principal, Role, demand_site
from chipledger_server.usecases.book.prefilled import next_steps
from chipledger_server.usecases.book.rights import ENTERED_BY, may_enter
from chipledger_server.usecases.book.standing import agree
from chipledger_server.usecases.listing import LedgerAsked, LedgerEntry, When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.answers import Became, became
from chipledger_server.usecases.showing.events import event_of
from chipledger_server.usecases.showing.ledger_file import (
    LedgerHead,
    as_csv,
    as_json,
    everything,
)
from chipledger_server.usecases.times import instant_ms, time_text
from chipledger_server.web.context import Parts
from chipledger_server.web.exports import CSV, JSON
from chipledger_server.web.rendering import Pages, Travel
from chipledger_server.web.screens.asking import ScreenRequest, html, own_form

SHOWN: Final = 50
OWN_KINDS: Final = ("installed", "moved")
"""Recorded by the collector from attestation, and shown when they are asked for."""
_LONGEST: Final = 63
OfSite = Annotated[str | None, QueryParameter(name="site")]
OfKind = Annotated[str | None, QueryParameter(name="kind")]
OfParty = Annotated[str | None, QueryParameter(name="party")]
AsForm = Annotated[Literal["csv", "json"], QueryParameter(name="form")]
Since = Annotated[str | None, QueryParameter(name="since")]
Entered = Annotated[str | None, QueryParameter(name="entered")]
Before = Annotated[str | None, QueryParameter(name="before")]


@get("/ledger", sync_to_thread=True, include_in_schema=False)
def ledger(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    of_site: OfSite = None,
    of_kind: OfKind = None,
    of_party: OfParty = None,
    since: Since = None,
    before: Before = None,
) -> Response[str]:
    """Show the ledger, what happened last first."""
    if of_site:
        demand_site(request.user, of_site)
    asked = LedgerAsked(
        when=travel.when,
        scope=request.user.sites,
        site=of_site or None,
        kind=of_kind or None,
        party=_party(of_party),
        since_ms=instant_ms(since) if since else 0,
        before=_place(before),
    )
    with parts.look(request.user, travel.when) as look:
        found = look.snapshot.ledger_page(asked, limit=SHOWN + 1)
        sites = [site for site in look.snapshot.site_ids() if look.sees(site)]
    page = pages.render(
        "ledger.html",
        reader=request.user,
        travel=travel,
        entries=found[:SHOWN],
        older=_next(found),
        sites=sites,
        asked=_kept(site=of_site, kind=of_kind, party=of_party, since=since),
        first=before is None,
        **_kinds(request.user),
    )
    return html(page)


def _kinds(who: Principal) -> dict[str, Any]:
    """Return which kinds of events there are, and whether a principal enters any of them."""
    return {
        "kinds": sorted(ENTERED_BY),
        "own_kinds": OWN_KINDS,
        "enters": any(may_enter(who.role, kind) for kind in ENTERED_BY),
    }


def _next(found: Sequence[LedgerEntry]) -> str | None:
    """Return where the next page begins, if there is one."""
    last = found[SHOWN - 1] if len(found) > SHOWN else None
    return None if last is None else f"{last.occurred_ms}.{last.pos}"


def _kept(**asked: str | None) -> dict[str, str]:
    """Return the filters as the links of the page repeat them."""
    return {name: text or "" for name, text in asked.items()}


@get("/ledger/download", sync_to_thread=True, include_in_schema=False)
def download(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    travel: NamedDependency[Travel],
    *,
    form: AsForm = "csv",
    of_site: OfSite = None,
    of_kind: OfKind = None,
    of_party: OfParty = None,
    since: Since = None,
) -> Response[bytes]:
    """Hand out what the filter shows, all pages of it, as a file."""
    if of_site:
        demand_site(request.user, of_site)
    asked = LedgerAsked(
        when=travel.when,
        scope=request.user.sites,
        site=of_site or None,
        kind=of_kind or None,
        party=_party(of_party),
        since_ms=instant_ms(since) if since else 0,
    )
    with parts.look(request.user, travel.when) as look:
        found = everything(look, asked)
    kept = _kept(site=of_site, kind=of_kind, party=of_party, since=since)
    head = _file_head(request.user, parts, travel, kept)
    name = f"ledger-{time_text(travel.when.as_of_ms)[:10]}.{form}"
    return Response(
        content=as_csv(head, found) if form == "csv" else as_json(head, found),
        media_type=CSV if form == "csv" else JSON,
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _file_head(who: Principal, parts: Parts, travel: Travel, kept: dict[str, str]) -> LedgerHead:
    scope = "every site" if who.sites is None else ", ".join(sorted(who.sites))
    tables = parts.measures.at(travel.when.known_at_ms).tables
    return LedgerHead(
        collector=parts.name,
        population=f"events of the ledger of {scope}",
        filters={name: text for name, text in kept.items() if text},
        as_of_ms=travel.when.as_of_ms,
        known_at_ms=travel.when.known_at_ms,
        software=parts.results.build,
        tables=tuple(
            f"{one.kind} {one.id} {one.version} {one.status} {one.digest}"
            for one in tables.versions()
        ),
    )


@get("/events/{event_id:str}", sync_to_thread=True, include_in_schema=False)
def event_page(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    event_id: FromPath[str],
    entered: Entered = None,
) -> Response[str]:
    """Show one event as it stands in the log, whose word it is, and how it is answered."""
    with parts.look(request.user, travel.when) as look:
        found = event_of(look, event_id)
        what = became(look, event_id, now_ms=parts.now_ms())
        corrects = _corrected_entry(look, found.type, found.record)
    page = pages.render(
        "event.html",
        reader=request.user,
        travel=travel,
        event=found,
        statements=() if what.entry is None else what.entry.statements,
        corrected_by=None if what.entry is None else what.entry.corrected_by,
        proposed=() if what.entry is None else what.entry.proposed,
        became=what,
        corrects=corrects,
        agrees=partial(_may_agree, request.user, what),
        steps=next_steps(found.type, request.user.role),
        entered=entered,
    )
    return html(page)


def _corrected_entry(look: Look, kind: str, record: Any) -> LedgerEntry | None:  # noqa: ANN401 - raw bytes
    """Return the event that a correction takes out, as the list shows it."""
    if kind != "correction":
        return None
    event = msgspec.json.decode(bytes(record), type=LedgerRecord).event
    named = event.corrects if isinstance(event, Correction) else ""
    ever = When(as_of_ms=ALWAYS, known_at_ms=look.when.known_at_ms)
    asked = LedgerAsked(when=ever, scope=look.scope, key=named)
    return next(iter(look.snapshot.ledger_page(asked, limit=1)), None)


def _may_agree(reader: Principal, what: Became, key: str) -> bool:
    """Tell whether a reader may be the second person behind a correction shown on a page."""
    shown = (*what.answers, *(() if what.entry is None else (what.entry,)))
    said = next((one.statements for one in shown if one.id == key), ())
    if any(one.principal == reader.name for one in said):
        return False
    return reader.role is not Role.OPERATOR or all(one.role is not Speaks.OPERATOR for one in said)


@post(
    "/events/{event_id:str}/agreement",
    sync_to_thread=True,
    include_in_schema=False,
    before_request=own_form,
)
def agree_to(
    request: ScreenRequest, parts: NamedDependency[Parts], event_id: FromPath[str]
) -> Response[Any]:
    """Agree to a correction that another person proposed."""
    done = agree(event_id, parts.ledger, parts.hand(request.user), carrier=request.user)
    return Response(
        content=b"",
        status_code=HTTPStatus.SEE_OTHER,
        headers={"location": f"/events/{done.event}?entered=agreed"},
    )


def _party(text: str | None) -> str | None:
    """Return a party id that a reader wrote.

    Raises:
        Refusal: `invalid-parameter`.
    """
    if not text:
        return None
    if len(text) > _LONGEST or not text.replace("-", "").isalnum() or not text.isascii():
        raise Refusal(
            Code.INVALID_PARAMETER,
            "that is no party id",
            hint="lower-case letters, digits and hyphens",
        )
    return text.lower()


def _place(text: str | None) -> tuple[int, int] | None:
    """Return where the page before ended.

    Raises:
        Refusal: `invalid-cursor`.
    """
    if not text:
        return None
    occurred, _, pos = text.partition(".")
    if not (occurred.isdecimal() and pos.isdecimal() and len(text) < _LONGEST // 2):
        raise Refusal(Code.INVALID_CURSOR, "that is no place in the ledger", hint="start anew")
    return int(occurred), int(pos)


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (ledger, download, event_page, agree_to)
"""Routes of this module."""
