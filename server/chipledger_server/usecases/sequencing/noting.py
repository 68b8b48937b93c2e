"""Opening, touching and resolving findings: one finding a fact, each change a log entry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from chipledger_evidence.codec import encode_canonical
from chipledger_server.domain.findings import (
    SEVERITY,
    About,
    FindingRecord,
    Kind,
    encode_detail,
    finding_id,
)
from chipledger_server.domain.hosts import HostState, LoggedToken
from chipledger_server.usecases.sequencing.store import SequenceStore


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
            self.occurred(host, kind, start, at_ms=at_ms, detail=detail)
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
        known = host.open.get(kind)
        if known is not None:
            self.store.touch_finding(known, at_ms, encode_detail(detail))
            return
        about = About(kind=kind, subject=host.id, site=host.site, host=host.id)
        host.open[kind] = self.open(about, start, at_ms, detail)

    def open(self, about: About, start: str, at_ms: int, detail: Mapping[str, Any]) -> str:
        """Open a finding and return its id."""
        key = finding_id(about.kind, about.subject, start)
        self.store.put_finding(key, about, at_ms, encode_detail(detail))
        self._record(key, about, "open", at_ms=at_ms, detail=detail)
        return key

    def again(
        self, key: str, about: About, at_ms: int, *, detail: Mapping[str, Any], grown: bool
    ) -> None:
        """Note that a finding was seen again; where it has grown, the log says so too."""
        self.store.touch_finding(key, at_ms, encode_detail(detail))
        if grown:
            self._record(key, about, "open", at_ms=at_ms, detail=detail)

    def resolve(self, key: str, at_ms: int) -> None:
        """Resolve an open finding."""
        about, detail = self.store.close_finding(key, at_ms)
        self._record(key, about, "resolved", at_ms=at_ms, detail=detail)

    def _record(
        self,
        key: str,
        about: About,
        state: Literal["open", "resolved"],
        *,
        at_ms: int,
        detail: Mapping[str, Any],
    ) -> None:
        record = FindingRecord(
            at=at_ms,
            chip=about.chip,
            detail=dict(detail),
            id=key,
            severity=SEVERITY[about.kind],
            site=about.site,
            state=state,
            subject=about.subject,
            type=about.kind,
        )
        self.store.record_finding(key, encode_canonical(record), at_ms)
