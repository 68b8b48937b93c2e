"""Opening, touching and resolving findings: one finding a fact, each change a log entry.

A fact that returns continues the finding it had, with its whole history. A finding that somebody
has explained, accepted or closed is opened again by the same record that says that it has grown.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from chipledger_book.cases import COLLECTOR, Action, CaseRole, CaseState, Step, at_time
from chipledger_book.terms import Severity
from chipledger_server.domain.findings import (
    About,
    FactState,
    FindingRecord,
    Kind,
    encode_detail,
    finding_id,
)
from chipledger_server.domain.hosts import HostState, LoggedToken
from chipledger_server.usecases.sequencing.store import SequenceStore

_MOST_DUE: Final = 256
_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}
_SETTLED: Final = frozenset({CaseState.EXPLAINED, CaseState.ACCEPTED, CaseState.CLOSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Noting:
    """Writes findings and their records."""

    store: SequenceStore

    def condition(
        self, host: HostState, kind: Kind, token: LoggedToken, detail: Mapping[str, Any] | None
    ) -> None:
        """Make a condition of a host so: open with `detail`, or resolved without."""
        self.state(host, kind, token.token, at_ms=token.received_ms, detail=detail)

    def state(
        self,
        host: HostState,
        kind: Kind,
        start: str,
        *,
        at_ms: int,
        detail: Mapping[str, Any] | None,
    ) -> None:
        """Make a condition of a host so by something else than a token, named by `start`."""
        if detail is not None:
            self._noted(host, kind, start, at_ms=at_ms, detail=detail, anew=False)
        elif kind in host.open:
            self.resolve(host.open.pop(kind), at_ms)

    def event(
        self, host: HostState, kind: Kind, token: LoggedToken, detail: Mapping[str, Any]
    ) -> None:
        """Note that a token shows something that happened on its host."""
        self.occurred(host, kind, token.token, at_ms=token.received_ms, detail=detail)

    def occurred(
        self, host: HostState, kind: Kind, start: str, *, at_ms: int, detail: Mapping[str, Any]
    ) -> None:
        """Note something on a host; while a finding of its kind is open, it was seen again."""
        self._noted(host, kind, start, at_ms=at_ms, detail=detail, anew=True)

    def begin(self, about: About, start: str, at_ms: int, detail: Mapping[str, Any]) -> str:
        """Open a finding, the one of the same fact where that has ended before; return its id."""
        past = self.store.past_finding(about)
        key = finding_id(about.kind, about.subject, start) if past is None else past
        return self._open(key, about, at_ms, detail)

    def open(self, about: About, start: str, at_ms: int, detail: Mapping[str, Any]) -> str:
        """Open the finding of a fact that `start` names, for the first time or again."""
        key = finding_id(about.kind, about.subject, start)
        return self._open(key, about, at_ms, detail)

    def again(
        self, key: str, about: About, at_ms: int, *, detail: Mapping[str, Any], grown: bool
    ) -> None:
        """Note that an open finding was seen again; what has changed of it is recorded.

        Args:
            key: its id.
            about: what it is about; a severity of its own is the finding's from now on.
            at_ms: when it was seen.
            detail: what was seen.
            grown: whether the fact itself has grown, whatever its detail counts.
        """
        before = self.store.finding(key).weight
        more = self.store.touch_finding(key, at_ms, encode_detail(detail), severity=about.severity)
        now = before if about.severity is None else about.severity
        if grown or more or _RANK[now] > _RANK[before]:
            self._record(key, about, "grown", at_ms=at_ms, detail=detail)
        elif now is not before:
            self._record(key, about, "lessened", at_ms=at_ms, detail=detail)

    def changed(
        self, key: str, about: About, at_ms: int, *, detail: Mapping[str, Any], grown: bool
    ) -> None:
        """Note that an open finding says something else now; the log always has what it says.

        Args:
            key: its id.
            about: what it is about, with the severity it has from now on.
            at_ms: when that was found.
            detail: what it says.
            grown: whether it is more than it was; otherwise it is less, or only other words.
        """
        before = self.store.finding(key).weight
        self.store.touch_finding(key, at_ms, encode_detail(detail), severity=about.weight)
        more = grown or _RANK[about.weight] > _RANK[before]
        self._record(key, about, "grown" if more else "lessened", at_ms=at_ms, detail=detail)

    def resolve(self, key: str, at_ms: int) -> None:
        """Resolve an open finding."""
        about, detail = self.store.close_finding(key, at_ms)
        self._record(key, about, "resolved", at_ms=at_ms, detail=detail)

    def lapse(self, now_ms: int) -> None:
        """Write down which explanations and acceptances have ended; they did so by themselves."""
        for key in self.store.cases.due(now_ms, _MOST_DUE):
            self.store.record_step(
                Step(
                    action=Action.EXPIRED,
                    at=now_ms,
                    by=COLLECTOR,
                    case=key,
                    role=CaseRole.COLLECTOR,
                )
            )

    def _noted(
        self,
        host: HostState,
        kind: Kind,
        start: str,
        *,
        at_ms: int,
        detail: Mapping[str, Any],
        anew: bool,
    ) -> None:
        about = About(kind=kind, subject=host.id, site=host.site, host=host.id)
        known = host.open.get(kind)
        if known is None:
            host.open[kind] = self.begin(about, start, at_ms, detail)
        else:
            grown = anew and self._settled(known, at_ms)
            self.again(known, about, at_ms, detail=detail, grown=grown)

    def _settled(self, key: str, at_ms: int) -> bool:
        """Tell whether somebody has explained, accepted or closed a finding."""
        case = self.store.cases.newest(key)
        return case is not None and at_time(case, at_ms).state in _SETTLED

    def _open(self, key: str, about: About, at_ms: int, detail: Mapping[str, Any]) -> str:
        self.store.put_finding(key, about, at_ms, encode_detail(detail))
        self._record(key, about, "open", at_ms=at_ms, detail=detail)
        return key

    def _record(
        self,
        key: str,
        about: About,
        state: FactState,
        *,
        at_ms: int,
        detail: Mapping[str, Any],
    ) -> None:
        record = FindingRecord(
            at=at_ms,
            chip=about.chip,
            detail=dict(detail),
            id=key,
            severity=about.weight,
            site=about.site,
            state=state,
            subject=about.subject,
            type=about.kind,
        )
        self.store.record_finding(record)
