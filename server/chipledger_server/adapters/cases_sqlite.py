"""What each case was from step to step, by hand-written statements.

Inside the caller's transaction. The one place where a step reaches
the table `cases`: for what the sequencer finds, for what a person does, and for a replay.
"""

from typing import Final

import msgspec

from chipledger_book.cases import Case, Step, apply
from chipledger_evidence.codec import encode_canonical
from chipledger_server.adapters.rows import Execute

_NEWEST: Final = "SELECT since_ms, body FROM cases WHERE finding = ? AND until_ms IS NULL"
_END: Final = "UPDATE cases SET until_ms = ? WHERE finding = ? AND until_ms IS NULL"
_PUT: Final = (
    "INSERT OR REPLACE INTO cases (finding, since_ms, state, severity, owner, round_ms, moved_ms,"
    " expires_ms, body) VALUES (?,?,?,?,?,?,?,?,?)"
)
_DUE: Final = (
    "SELECT finding FROM cases WHERE until_ms IS NULL AND expires_ms <= ?"
    " ORDER BY expires_ms, finding LIMIT ?"
)


class SqliteCases:
    """The table `cases`."""

    def __init__(self, execute: Execute) -> None:
        self._execute = execute

    def newest(self, finding: str) -> Case | None:
        """Return a case as its newest step left it."""
        row = self._execute(_NEWEST, (finding,)).fetchone()
        return None if row is None else msgspec.json.decode(row[1], type=Case)

    def take(self, step: Step) -> Case:
        """Take a step and return the case after it.

        Raises:
            BookError: the step is refused, and nothing is written.
        """
        row = self._execute(_NEWEST, (step.case,)).fetchone()
        before = None if row is None else msgspec.json.decode(row[1], type=Case)
        case = apply(before, step)
        if row is not None and row[0] < case.touched:
            self._execute(_END, (case.touched, case.id))
        self._execute(
            _PUT,
            (
                case.id,
                case.touched,
                case.state.value,
                case.severity.value,
                case.owner,
                case.round,
                _moved_ms(case),
                case.expires,
                encode_canonical(case),
            ),
        )
        return case

    def due(self, now_ms: int, most: int) -> list[str]:
        """Return cases whose explanation or acceptance has ended, the longest ended first."""
        return [key for (key,) in self._execute(_DUE, (now_ms, most)).fetchall()]


def _moved_ms(case: Case) -> int:
    """Return since when somebody owes the next step; of what is explained, an auditor."""
    return case.since if case.explanation is None or case.unheard is None else case.unheard
