"""Findings as cases: who may do what about a finding, and what becomes of it.

`steps` says what can happen to a case, `case` what a case is, `machine` how the one changes the
other, `duties` who owes what until when. Pure: time is an argument, and nothing is written here.
"""

from chipledger_book.cases.case import Case, Explanation, Ruling
from chipledger_book.cases.duties import (
    Duty,
    DutyKind,
    Limits,
    Term,
    duties,
    latest_late_ms,
    limits_of,
)
from chipledger_book.cases.machine import (
    allowed,
    apply,
    at_time,
    demand_reach,
    fold_case,
    who_may,
)
from chipledger_book.cases.steps import (
    ATTENTION,
    COLLECTOR,
    FACTS,
    LONGEST_MS,
    Action,
    Actor,
    CaseRole,
    CaseState,
    Step,
)

__all__ = [
    "ATTENTION",
    "COLLECTOR",
    "FACTS",
    "LONGEST_MS",
    "Action",
    "Actor",
    "Case",
    "CaseRole",
    "CaseState",
    "Duty",
    "DutyKind",
    "Explanation",
    "Limits",
    "Ruling",
    "Step",
    "Term",
    "allowed",
    "apply",
    "at_time",
    "demand_reach",
    "duties",
    "fold_case",
    "latest_late_ms",
    "limits_of",
    "who_may",
]
