"""Many small facts of one kind weigh what they come to together.

Severity goes by the TPP in question. Papers say how large one event is, so who writes them could
keep each below a step: what matters is what a site owes an answer for in one kind.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import Final

from chipledger_book.terms import Severity
from chipledger_book.timers import Timers
from chipledger_book.watch.facts import Fact, FactKind, Wait

SLICED: Final = frozenset(
    {
        FactKind.EXPORT_UNCONFIRMED,
        FactKind.RECEIPT_DIFFERENCE,
        FactKind.NOTICE_LATE,
        FactKind.EVIDENCE_LATE,
        FactKind.SEAL_BROKEN,
        FactKind.STORED_TOO_LONG,
    }
)
"""Kinds of one fact an event, which the party that enters events makes as small as it likes."""

_RANK: Final = {severity: rank for rank, severity in enumerate(Severity)}


def weighed_together(
    found: Iterable[Wait | Fact], timers: Timers, day: date
) -> Iterator[Wait | Fact]:
    """Yield what was found at a site, each sliced fact as heavy as all of its kind together."""
    found = list(found)
    tpp: Counter[FactKind] = Counter()
    for one in found:
        if isinstance(one, Fact) and one.kind in SLICED:
            tpp[one.kind] += one.tpp
    for one in found:
        if isinstance(one, Fact) and one.tpp and one.kind in SLICED:
            together = timers.severity(one.kind, tpp[one.kind], day)
            if _RANK[together] > _RANK[one.severity]:
                yield replace(one, severity=together)
                continue
        yield one
