"""Tables of rules: every version, what differs, and changing them in two steps."""

from typing import Annotated, Any

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from chipledger_book.ceilings.views import country_limits
from chipledger_book.ledger import fold
from chipledger_book.table_diff import TableDiff, diff
from chipledger_book.tables import Table
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.rules.proposing import (
    Proposing,
    adopt,
    approve,
    decline,
    load,
    load_shipped,
)
from chipledger_server.usecases.rules.views import (
    CountryLimits,
    ProposalView,
    RulesPage,
    TableDetail,
    detail,
    proposal_view,
    rules_page,
)
from chipledger_server.web.api.asking import LIST, ONE, ApiRequest, Under, problems
from chipledger_server.web.api.record import appraisal_rule
from chipledger_server.web.context import Parts

CHANGE = problems(400, 401, 403, 404, 409)
OfVersion = Annotated[
    str | None,
    QueryParameter(name="version", description="Which version; the one that holds if left out."),
]
Before = Annotated[
    str, QueryParameter(name="before", description="ID@VERSION; the adopted if empty.")
]
After = Annotated[
    str, QueryParameter(name="after", description="ID@VERSION; the adopted if empty.")
]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class RulesWanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody wants of the rules: one of `table`, `shipped` and `adopt`.

    Attributes:
        reason: why; it stands in the log for ever.
        table: a whole table, as docs/BOOK.md writes it.
        shipped: a version that this software brings, as ``ID@VERSION``.
        adopt: id of the rule set that questions that name none are to be answered under.
    """

    reason: Reason
    table: dict[str, Any] | None = None
    shipped: str | None = None
    adopt: str | None = None


class Declined(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a proposal is declined."""

    reason: Reason


@get("/rules", sync_to_thread=True, responses=LIST)
def rules(
    request: ApiRequest,  # noqa: ARG001 - for the signature
    parts: NamedDependency[Parts],
    times: NamedDependency[When],
) -> RulesPage:
    """Return every version of every table, what held at a time, and what waits."""
    return rules_page(
        parts.measures.store.shelf(),
        appraisal_rule(parts.measure.appraisal),
        known_at_ms=times.known_at_ms,
        now_ms=parts.now_ms(),
        ttl_s=parts.proposal_ttl_s,
    )


@get("/rules/tables/{table_id:str}", sync_to_thread=True, responses=ONE)
def table(
    request: ApiRequest,  # noqa: ARG001 - for the signature
    parts: NamedDependency[Parts],
    table_id: FromPath[str],
    times: NamedDependency[When],
    *,
    of_version: OfVersion = None,
) -> TableDetail:
    """Return one version of a table with its content."""
    shelf = parts.measures.store.shelf()
    if of_version is None:
        found = shelf.find(table_id, None, times.known_at_ms)
    else:
        found = shelf.any_version(table_id, of_version)
    return detail(shelf, found, now_ms=parts.now_ms(), ttl_s=parts.proposal_ttl_s)


@get("/rules/diff", sync_to_thread=True, responses=ONE)
def difference(
    request: ApiRequest,  # noqa: ARG001 - for the signature
    parts: NamedDependency[Parts],
    *,
    before: Before = "",
    after: After = "",
) -> TableDiff:
    """Return what differs between two versions, row by row."""
    return diff(named(parts, before), named(parts, after))


def named(parts: Parts, text: str) -> Table:
    """Return the version that ``ID@VERSION`` names, whatever became of it.

    Raises:
        BookError: `unknown-table`.
    """
    shelf = parts.measures.store.shelf()
    name, _, version = (text or shelf.adopted(parts.now_ms())).partition("@")
    return shelf.any_version(name, version) if version else shelf.find(name, None, parts.now_ms())


@get("/rules/countries", sync_to_thread=True, responses=ONE)
def countries(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    times: NamedDependency[When],
    under: Under = None,
) -> CountryLimits:
    """Return what limits per country say of the licences of the sites you may see."""
    with parts.look(request.user, times, rules=under) as look:
        book = fold(look.snapshot.all_records(times))
        tables = look.measure.tables
    return CountryLimits(
        items=country_limits(book, tables, as_of_ms=times.as_of_ms, scope=request.user.sites),
        rules="" if tables.rules is None else tables.rules.head.id,
        as_of_ms=times.as_of_ms,
        known_at_ms=times.known_at_ms,
    )


@post("/rules/proposals", sync_to_thread=True, responses=CHANGE)
def propose(
    request: ApiRequest, parts: NamedDependency[Parts], data: JSONBody[RulesWanted]
) -> ProposalView:
    """Propose a table, or which rule set is the default; another person approves it."""
    step = step_of(request, parts)
    asked = [one for one in (data.table, data.shipped, data.adopt) if one is not None]
    if len(asked) != 1:
        raise Refusal(
            Code.INVALID_PARAMETER,
            "one of `table`, `shipped` and `adopt` is proposed at a time",
            hint="docs/BOOK.md, Changing the rules",
        )
    if data.table is not None:
        made = load(msgspec.json.encode(data.table), step, reason=data.reason)
    elif data.shipped is not None:
        name, _, version = data.shipped.partition("@")
        made = load_shipped(name, version, step, reason=data.reason)
    else:
        made = adopt(data.adopt or "", step, reason=data.reason)
    return proposal_view(made, expired=False)


@post("/rules/proposals/{proposal_id:str}/approve", sync_to_thread=True, responses=CHANGE)
def approve_rules(
    request: ApiRequest, parts: NamedDependency[Parts], proposal_id: FromPath[str]
) -> ProposalView:
    """Let a proposal hold from now on; never by the one who made it."""
    return proposal_view(approve(proposal_id, step_of(request, parts)), expired=False)


@post("/rules/proposals/{proposal_id:str}/decline", sync_to_thread=True, responses=CHANGE)
def decline_rules(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    proposal_id: FromPath[str],
    data: JSONBody[Declined],
) -> ProposalView:
    """End a proposal without its holding."""
    done = decline(proposal_id, step_of(request, parts), reason=data.reason)
    return proposal_view(done, expired=False)


def step_of(request: ApiRequest, parts: Parts) -> Proposing:
    """Return what a step needs, by the principal behind a request."""
    return Proposing(
        store=parts.measures.store,
        hand=parts.hand(request.user),
        who=request.user,
        ttl_s=parts.proposal_ttl_s,
    )


ROUTES = (
    *(rules, table, difference, countries),
    *(propose, approve_rules, decline_rules),
)
"""Routes of this module."""
STRUCTS = (RulesPage, TableDetail, TableDiff, CountryLimits, ProposalView, RulesWanted, Declined)
"""Structs that these routes take and answer with."""
