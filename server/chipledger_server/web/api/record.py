"""What stands on record: findings, events of the ledger, the log, and the tables of rules."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from chipledger_book.terms import MAX_INTEGER
from chipledger_evidence.appraisal.policy import AppraisalPolicy
from chipledger_server.usecases.access import demand_site, scope_text
from chipledger_server.usecases.reading import EventsAsked, When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing.events import event_of
from chipledger_server.usecases.views import (
    AppraisalRule,
    EventDetail,
    EventsPage,
    LogEntry,
    LogPage,
    Me,
)
from chipledger_server.web.api.asking import LIST, ONE, SITE, ApiRequest, next_cursor, problems
from chipledger_server.web.context import Paging, Parts

OfSite = Annotated[str | None, QueryParameter(name="site", description="Only of this site.")]
Kind = Annotated[str | None, QueryParameter(name="type", description="Only of this type.")]


@get("/me", sync_to_thread=False, responses=problems(401))
def me(request: ApiRequest) -> Me:
    """Return who you are to this collector."""
    user = request.user
    return Me(
        name=user.name,
        role=user.role,
        scope=scope_text(user.sites),
        expires_ms=user.expires_ms,
    )


@get("/events", sync_to_thread=True, responses=SITE)
def events(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    page: NamedDependency[Paging],
    *,
    of_site: OfSite = None,
    of_type: Kind = None,
) -> EventsPage:
    """Return events of the ledger, in the order they were entered."""
    if of_site is not None:
        demand_site(request.user, of_site)
    place = page.place("events", parts.now_ms(), first=(0,))
    asked = EventsAsked(when=place.when, scope=request.user.sites, site=of_site, kind=of_type)
    with parts.look(request.user, place.when) as look:
        items = look.snapshot.events(asked, after=int(place.after[0]), limit=page.limit)
    return EventsPage(
        items=tuple(items),
        next=next_cursor(place, items, page.limit, lambda event: (event.pos,)),
        as_of_ms=place.as_of_ms,
        known_at_ms=place.known_at_ms,
    )


@get("/events/{event_id:str}", sync_to_thread=True, responses=ONE)
def event(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    event_id: FromPath[str],
    times: NamedDependency[When],
) -> EventDetail:
    """Return one event of the ledger."""
    with parts.look(request.user, times) as look:
        return event_of(look, event_id)


@get("/log", sync_to_thread=True, responses=LIST)
def log(
    request: ApiRequest, parts: NamedDependency[Parts], page: NamedDependency[Paging]
) -> LogPage:
    """Return entries of the log; record and salt only where you are entitled to them."""
    place = page.place("log", parts.now_ms(), first=(-1,))
    with parts.look(request.user, place.when) as look:
        items = look.snapshot.log_entries(
            scope=look.scope, after=int(place.after[0]), limit=page.limit
        )
    return LogPage(
        items=tuple(items),
        next=next_cursor(place, items, page.limit, lambda entry: (entry.index,)),
        as_of_ms=place.as_of_ms,
        known_at_ms=place.known_at_ms,
    )


@get("/log/{index:int}", sync_to_thread=True, responses=ONE)
def log_entry(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    index: FromPath[int],
    times: NamedDependency[When],
) -> LogEntry:
    """Return one entry of the log."""
    known = 0 <= index <= MAX_INTEGER  # no database is asked for more
    with parts.look(request.user, times) as look:
        after = index - 1
        found = look.snapshot.log_entries(scope=look.scope, after=after, limit=1) if known else ()
    if not found:
        raise Refusal(
            Code.UNKNOWN_LOG_ENTRY, f"the log has no entry {index}", hint="entries count from 0"
        )
    return found[0]


def appraisal_rule(policy: AppraisalPolicy) -> AppraisalRule:
    """Return what a policy says of itself."""
    rule = policy.chip_signed
    return AppraisalRule(
        id=policy.id,
        version=policy.version,
        digest=policy.digest,
        source=policy.source,
        valid_from=policy.valid_from,
        valid_to=policy.valid_to,
        round_s=policy.evidence_round_s,
        lifetime_s=policy.evidence_lifetime_s,
        device_class=rule.device_class,
        must_pass=tuple(name.value for name in rule.must_pass),
        must_not_fail=tuple(name.value for name in rule.must_not_fail),
    )
