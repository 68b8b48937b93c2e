"""What a TPM's answers mean to the agent, and when it is asked for a quote."""

import pytest

from chipledger_agent.domain.failures import AgentCode
from chipledger_agent.domain.plan import LastQuote, quote_due
from chipledger_agent.domain.tpm import code_of, hint_of

DAY_S = 86_400


@pytest.mark.parametrize(
    ("rc", "code"),
    [
        (0x922, AgentCode.TPM_BUSY),  # TPM_RC_RETRY
        (0x902, AgentCode.TPM_BUSY),  # TPM_RC_OBJECT_MEMORY
        (0xC0902, AgentCode.TPM_BUSY),  # the same, through a resource manager
        (0xA0009, AgentCode.TPM_BUSY),  # the transport says: try again
        (0x921, AgentCode.TPM_LOCKED_OUT),  # TPM_RC_LOCKOUT
        (0x1DF, AgentCode.TPM_KEY_FOREIGN),  # integrity, parameter 1
        (0x9A2, AgentCode.TPM_REFUSED),  # bad authorisation, session 1
        (0x185, AgentCode.TPM_REFUSED),  # the hierarchy is disabled, handle 1
        (0xA000A, AgentCode.TPM_ABSENT),  # the device cannot be opened
        (0x101, AgentCode.TPM_FAILED),  # TPM_RC_FAILURE
        (0x70007, AgentCode.TPM_FAILED),  # the software stack's own fault
    ],
)
def test_every_answer_has_a_stable_code(rc: int, code: AgentCode) -> None:
    """Format one and zero, with handle, parameter or session, through any layer."""
    assert code_of(rc) is code


def test_what_a_person_can_mend_has_a_hint() -> None:
    """All but the unknown failure say what to do."""
    codes = [code for code in AgentCode if code.startswith("tpm-")]
    silent = {code for code in codes if not hint_of(code)}
    assert silent == {AgentCode.TPM_FAILED, AgentCode.TPM_PART_MISSING}


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (None, True),
        (LastQuote(bootseed="before", iat_s=1_000_000), True),
        (LastQuote(bootseed="now", iat_s=1_000_000 - DAY_S + 1), False),
        (LastQuote(bootseed="now", iat_s=1_000_000 - DAY_S), True),
        (LastQuote(bootseed="now", iat_s=1_000_001), True),  # the clock was set back
    ],
    ids=["never", "another boot", "today", "yesterday", "in the future"],
)
def test_a_quote_is_due_once_a_boot_and_once_a_period(last: LastQuote | None, *, due: bool) -> None:
    """At boot, when the period has passed, and when the clock says nonsense."""
    now = LastQuote(bootseed="now", iat_s=1_000_000)
    assert quote_due(last, now=now, period_s=DAY_S) is due
