"""Exit codes of `chipledger-agent`; docs/AGENT.md has the same table, held together by a test."""

from enum import IntEnum

from chipledger_agent.cycle import Outcome
from chipledger_agent.cycle.delivery import NOT_THIS_REPORT
from chipledger_agent.domain.failures import (
    AgentCode,
    AgentError,
    CollectorRefused,
    CollectorUnavailable,
)


class Exit(IntEnum):
    """What a command came to."""

    OK = 0
    FAILED = 1  # a fault of this program, with a traceback
    USAGE = 2  # the command line was wrong (argparse)
    CONFIG = 3  # configuration or pin could not be used
    NOT_ENROLLED = 4  # no usable key or enrolment
    WAITING = 5  # the collector could not take it now; reports are safe in the spool
    REFUSED = 6  # the collector refused; see the code it gave
    STORAGE = 7  # no report was made or kept; counted and signed into the next
    SCAN = 8  # the scan's status is not `ok`, or the capture failed
    IN_USE = 9  # another agent holds the state folder
    UNHEALTHY = 10  # `doctor` found something that a person must mend


_BY_CODE = {
    AgentCode.CONFIG_UNREADABLE: Exit.CONFIG,
    AgentCode.CONFIG_UNKNOWN_KEY: Exit.CONFIG,
    AgentCode.CONFIG_BAD_VALUE: Exit.CONFIG,
    AgentCode.PIN_UNREADABLE: Exit.CONFIG,
    AgentCode.CODE_UNREADABLE: Exit.CONFIG,
    AgentCode.KEY_MISSING: Exit.NOT_ENROLLED,
    AgentCode.KEY_EXISTS: Exit.NOT_ENROLLED,
    AgentCode.KEY_EXPOSED: Exit.NOT_ENROLLED,
    AgentCode.KEY_UNREADABLE: Exit.NOT_ENROLLED,
    AgentCode.NOT_ENROLLED: Exit.NOT_ENROLLED,
    AgentCode.TPM_ABSENT: Exit.NOT_ENROLLED,
    AgentCode.TPM_KEY_FOREIGN: Exit.NOT_ENROLLED,
    AgentCode.TPM_PART_MISSING: Exit.CONFIG,
    AgentCode.STATE_IN_USE: Exit.IN_USE,
    AgentCode.REPORTS_WAIT: Exit.WAITING,
    AgentCode.CAPTURE_FAILED: Exit.SCAN,
}


def exit_of_error(error: AgentError) -> Exit:
    """Return the exit code for a command that ended with `error`."""
    if isinstance(error, CollectorRefused):
        return Exit.REFUSED
    if isinstance(error, CollectorUnavailable):
        return Exit.WAITING
    return _BY_CODE.get(error.code, Exit.STORAGE)  # type: ignore[call-overload, no-any-return] # a StrEnum is its text


def exit_of_outcome(outcome: Outcome) -> Exit:
    """Return the exit code for one run of the cycle."""
    if outcome.refused or outcome.failure in NOT_THIS_REPORT:
        return Exit.REFUSED
    if outcome.skipped:
        return Exit.STORAGE
    if outcome.failure or outcome.waiting:
        return Exit.WAITING
    return Exit.OK
