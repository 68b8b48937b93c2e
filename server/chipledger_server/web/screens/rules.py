"""The rules: what holds and why, what differs between versions, and what waits for a person."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from chipledger_book.table_diff import TableDiff, diff
from chipledger_server.usecases.access import Principal, Role
from chipledger_server.usecases.rules.proposing import Proposing, approve, decline
from chipledger_server.usecases.rules.shelf import RuleProposal, Shelf, Version
from chipledger_server.usecases.rules.words import STATES, proposal_words
from chipledger_server.web.api.record import appraisal_rule
from chipledger_server.web.api.rules import named
from chipledger_server.web.context import Parts
from chipledger_server.web.rendering import Pages, Travel
from chipledger_server.web.screens.asking import Form, ScreenRequest, html, own_form

Before = Annotated[str | None, QueryParameter(name="before")]
After = Annotated[str | None, QueryParameter(name="after")]
Under = Annotated[str | None, QueryParameter(name="rules")]


@get("/rules", sync_to_thread=True, include_in_schema=False)
def rules(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    under: Under = None,
) -> Response[str]:
    """Show the rule set that is asked by default, or another one, and every table there is."""
    shelf, known = parts.measures.store.shelf(), travel.when.known_at_ms
    tables = parts.measures.at(known, under).tables
    versions = shelf.versions(travel.now_ms, ttl_s=parts.proposal_ttl_s)
    held = [id(table) for table in shelf.known(known).values()]
    page = pages.render(
        "rules.html",
        reader=request.user,
        travel=travel,
        adopted=shelf.adopted(known),
        rule_sets=shelf.rule_sets(known),
        shown=tables.rules,
        catalogue=tables.catalogue,
        families=families(versions, held),
        waiting=waiting(shelf, request.user, parts, travel),
        appraisal=appraisal_rule(parts.measure.appraisal),
        STATES=STATES,
        proposal_words=proposal_words,
    )
    return html(page)


def families(versions: list[Version], held: list[int]) -> list[list[tuple[Version, bool]]]:
    """Return versions by table, the newest first, each with whether it holds."""
    found: dict[tuple[str, str], list[tuple[Version, bool]]] = {}
    for one in versions:
        key = (one.table.head.kind, one.table.head.id)
        found.setdefault(key, []).insert(0, (one, id(one.table) in held))
    order = ("rule-set", "country-lists", "entities", "chip-catalogue", "timers", "calendars")
    return [found[key] for key in sorted(found, key=lambda key: (order.index(key[0]), key[1]))]


def waiting(
    shelf: Shelf, reader: Principal, parts: Parts, travel: Travel
) -> list[tuple[RuleProposal, TableDiff | None, bool]]:
    """Return what waits: what it would change, and whether the reader may approve it."""
    found = []
    for one in shelf.proposals:
        if one.decided_ms is None and not one.expired(travel.now_ms, ttl_s=parts.proposal_ttl_s):
            before = shelf.known(travel.now_ms).get((one.kind, one.table))
            new = shelf.any_version(one.table, one.version) if one.wish == "load" else None
            change = None if before is None or new is None else diff(before, new)
            mine = reader.role is Role.OPERATOR or reader.name == one.proposed_by
            found.append((one, change, not mine))
    return found


@get("/rules/diff", sync_to_thread=True, include_in_schema=False)
def difference(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    travel: NamedDependency[Travel],
    *,
    before: Before = None,
    after: After = None,
) -> Response[str]:
    """Show what differs between two versions of a table."""
    found = diff(named(parts, before or ""), named(parts, after or ""))
    page = pages.render("rules_diff.html", reader=request.user, travel=travel, found=found)
    return html(page)


@post(
    "/rules/proposals/{proposal_id:str}",
    sync_to_thread=True,
    include_in_schema=False,
    before_request=own_form,
)
def decide(
    request: ScreenRequest, parts: NamedDependency[Parts], proposal_id: FromPath[str], data: Form
) -> Response[Any]:
    """Approve or decline what another person proposed."""
    step = Proposing(
        store=parts.measures.store,
        hand=parts.hand(request.user),
        who=request.user,
        ttl_s=parts.proposal_ttl_s,
    )
    if data.get("decision") == "approve":
        approve(proposal_id, step)
    else:
        decline(proposal_id, step, reason=data.get("reason", ""))
    return Response(
        content=b"", status_code=HTTPStatus.SEE_OTHER, headers={"location": "/rules#tables"}
    )


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (rules, difference, decide)
"""Routes of this module."""
