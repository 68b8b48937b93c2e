"""What a TPM's answers mean for this agent, decided from numbers alone."""

from typing import Final

from chipledger_agent.domain.failures import AgentCode

REGISTERS: Final = tuple(range(8))
"""Platform configuration registers that are quoted: firmware, its settings, boot loader."""

_LAYER: Final = 0xFF0000
_TPM_LAYERS: Final = frozenset({0x000000, 0x0B0000, 0x0C0000})  # the TPM, resource managers
_TRANSPORT: Final = 0x0A0000
_LOADER: Final = 0x0E0000
_FORMAT_ONE: Final = 0x080
_TRY_AGAIN: Final = 9

# TPM_RC (part 2, section 6.6.3): warnings that pass.
_BUSY: Final = frozenset(
    {0x902, 0x903, 0x904, 0x905, 0x906, 0x907, 0x908, 0x90A, 0x910, 0x920, 0x922, 0x923}
)
_LOCKED_OUT: Final = 0x921
# Format one, without handle, parameter and session: a blob that this TPM did not make, or made
# before it was cleared.
_FOREIGN: Final = frozenset({0x09F, 0x0A5, 0x0A7})
_NOT_ALLOWED: Final = frozenset({0x08E, 0x0A2, 0x09D, 0x082, 0x085, 0x120, 0x125, 0x12F})

_HINTS: Final = {
    AgentCode.TPM_ABSENT: "is there a /dev/tpmrm0 that the agent's user may use (group tss)?",
    AgentCode.TPM_BUSY: "another program is using the TPM; nothing is lost, it is tried again",
    AgentCode.TPM_LOCKED_OUT: "too many wrong authorisations: wait, or reset the lock-out",
    AgentCode.TPM_KEY_FOREIGN: "the TPM was cleared or replaced, or this folder is of another"
    " host: ask the collector's people for a replacement, then enrol again",
    AgentCode.TPM_REFUSED: "the endorsement hierarchy is disabled or has an authorisation value",
}


def code_of(rc: int) -> AgentCode:
    """Return the stable code of a TSS2_RC."""
    layer, low = rc & _LAYER, rc & 0xFFFF
    if layer in {_TRANSPORT, _LOADER}:
        return AgentCode.TPM_BUSY if low == _TRY_AGAIN else AgentCode.TPM_ABSENT
    if layer not in _TPM_LAYERS:
        return AgentCode.TPM_FAILED
    if low & _FORMAT_ONE:
        low = _FORMAT_ONE | low & 0x3F
    if low in _BUSY:
        return AgentCode.TPM_BUSY
    if low == _LOCKED_OUT:
        return AgentCode.TPM_LOCKED_OUT
    if low in _FOREIGN:
        return AgentCode.TPM_KEY_FOREIGN
    return AgentCode.TPM_REFUSED if low in _NOT_ALLOWED else AgentCode.TPM_FAILED


def hint_of(code: str) -> str:
    """Return what a person can do about a code, or an empty text."""
    return _HINTS.get(AgentCode(code), "")
