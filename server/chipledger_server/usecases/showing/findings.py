"""Findings as readers are shown them: in words, with explanations that need no bad intent."""

import msgspec

from chipledger_server.usecases.reading import FindingRow, FindingsAsked
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.views import FindingView


def list_findings(
    look: Look, asked: FindingsAsked, *, after: tuple[int, str] | None, limit: int
) -> list[FindingView]:
    """Return findings, newest first."""
    return [view(row) for row in look.snapshot.findings(asked, after=after, limit=limit)]


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
    return view(row)


def view(row: FindingRow) -> FindingView:
    """Return a finding in words."""
    return FindingView(
        id=row.id,
        type=row.type,
        severity=row.severity,
        state="open" if row.resolved_ms is None else "resolved",
        site=row.site,
        host=row.host,
        chip=row.chip,
        opened_ms=row.opened_ms,
        seen_ms=row.seen_ms,
        resolved_ms=row.resolved_ms,
        times=row.times,
        words=row.type.replace("-", " "),
        innocent=(),
        detail=msgspec.Raw(row.detail),
    )
