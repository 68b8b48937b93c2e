"""Findings as readers are shown them: in words, with explanations that need no bad intent."""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from chipledger_server.domain.findings import INNOCENT, Kind, effect, encode_detail, in_words
from chipledger_server.usecases.case_views import FindingView
from chipledger_server.usecases.reading import FindingRow, FindingsAsked
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import ANOTHER_HOST, ANOTHER_SITE, Look
from chipledger_server.usecases.showing.duties import duties_of, explanation_view, ruling_view
from chipledger_server.usecases.showing.facts import (
    fact_words,
    innocent_facts,
    is_fact,
    own_fact,
)

_KINDS: Final = frozenset(Kind)
_SITE: Final = "_site"
_BEFORE: Final = ", before "
_COUNT_BEFORE: Final = re.compile(r": \d+ before, now ")
_MORE: Final = ": more before, now "
_ELSEWHERE: Final = f"a name seen at {ANOTHER_SITE}"


def list_findings(
    look: Look, asked: FindingsAsked, *, after: tuple[int, str] | None, limit: int
) -> list[FindingView]:
    """Return findings, newest first."""
    return [view(look, row) for row in look.snapshot.findings(asked, after=after, limit=limit)]


def worst_first(
    look: Look,
    asked: FindingsAsked,
    *,
    limit: int,
    after: tuple[int, int, str] | None = None,
) -> list[FindingView]:
    """Return findings, worst first and oldest first among equals."""
    rows = look.snapshot.worst_findings(asked, limit=limit, after=after)
    return [view(look, row) for row in rows]


def finding(look: Look, key: str) -> FindingView:
    """Return one finding.

    Raises:
        Refusal: `unknown-finding`, also for one of a site the reader may not see.
    """
    row = look.snapshot.finding(key, look.when)
    if row is None or not look.sees(row.site):
        raise Refusal(
            Code.UNKNOWN_FINDING,
            f"there is no finding {key} that you may see at this time",
            hint="check the id, and the time you look at",
        )
    return view(look, row)


def view(look: Look, row: FindingRow) -> FindingView:
    """Return a finding in words, without what belongs to sites the reader may not see."""
    kind = Kind(row.type) if row.type in _KINDS else None
    detail, words = shown_detail(
        look, row.type, msgspec.json.decode(row.detail, type=dict[str, Any])
    )
    held = row.case
    owed = duties_of(look, held)
    return FindingView(
        id=row.id,
        type=row.type,
        severity=held.severity,
        state=held.state,
        present=held.present,
        subject=row.subject,
        site=row.site,
        host=row.host,
        chip=row.chip,
        owner=held.owner,
        opened_ms=row.opened_ms,
        since_ms=held.since,
        seen_ms=row.seen_ms,
        resolved_ms=row.resolved_ms,
        expires_ms=held.expires,
        times=row.times,
        episodes=held.episodes,
        version=held.steps,
        takes_two=held.takes_two,
        explanation=explanation_view(held.explanation),
        pending=ruling_view(held.pending),
        ruling=ruling_view(held.ruling),
        duties=owed,
        late=any(duty.late and duty.done_ms is None for duty in owed),
        words=words,
        effect=effect(row.type, detail),
        innocent=_innocent(kind, row.type),
        detail=msgspec.Raw(encode_detail(detail)),
    )


def shown_detail(look: Look, type_: str, detail: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return what of a detail a reader may see, and the same in words."""
    kind = Kind(type_) if type_ in _KINDS else None
    shown = redacted(detail, look)
    if is_fact(type_):
        shown = own_fact(shown, look)
    if kind is Kind.IDENTITY_CHANGED:
        shown = _own_names(shown, look)
    if kind is Kind.COUNTER_BACKWARD and look.scope is not None:
        # The chip may have been read before by a host of another site, and had this value there.
        counters = [_COUNT_BEFORE.sub(_MORE, str(one)) for one in shown.get("counters", ())]
        shown = {"counters": counters}
    return shown, _words(kind, shown, type_)


def redacted(detail: Mapping[str, Any], look: Look) -> dict[str, Any]:
    """Return a detail in which sites that the reader may not see, and their hosts, have no name.

    That a chip is also claimed elsewhere is what an operator has to explain; by whom is not.
    """
    shown = dict(detail)
    for member, value in detail.items():
        if member.endswith(_SITE) and not look.sees(str(value)):
            shown[member] = ANOTHER_SITE
            host = member.removesuffix(_SITE) + "_host"
            if host in shown:
                shown[host] = ANOTHER_HOST
    return shown


def _own_names(detail: Mapping[str, Any], look: Look) -> dict[str, Any]:
    """Return what changed, without the names that only hosts of other sites gave a chip.

    Who reports a name known from papers would be told by the change what the real chip is
    called. A finding that does not say which names are earlier ones loses all of them.
    """
    if look.scope is None:
        return dict(detail)
    changes = [str(change) for change in detail.get("changes", ())]
    if "before" not in detail:
        return {"changes": [change.split(_BEFORE, 1)[0] for change in changes]}
    before = [str(name) for name in detail["before"]]
    hidden = set(before) - look.snapshot.names_seen(before, scope=look.scope)
    for name in sorted(hidden, key=len, reverse=True):  # none is left as a part of a longer one
        changes = [_without(change, name) for change in changes]
    return {
        "before": [_ELSEWHERE if name in hidden else name for name in before],
        "changes": changes,
    }


def _without(change: str, name: str) -> str:
    """Return a change without an earlier name; what the own host says now stays."""
    now, cut, earlier = change.rpartition(_BEFORE)
    return now + cut + earlier.replace(name, _ELSEWHERE)


def _words(kind: Kind | None, detail: Mapping[str, Any], name: str) -> str:
    """Return what was seen in a sentence; a finding of an older version may lack a member."""
    try:
        if kind is not None:
            return in_words(kind, detail)
        if is_fact(name):
            return fact_words(name, detail)
    except KeyError:
        pass
    return name.replace("-", " ")


def _innocent(kind: Kind | None, name: str) -> tuple[str, ...]:
    if kind is not None:
        return tuple(INNOCENT[kind])
    return tuple(innocent_facts(name)) if is_fact(name) else ()
