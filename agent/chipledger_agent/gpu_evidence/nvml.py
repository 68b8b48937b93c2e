"""Evidence through NVML, by a child process that can be ended (opt-in: see `scan.evidence`)."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from chipledger_agent.domain.evidence import (
    NVML,
    DeviceEvidence,
    Gathered,
    ReasonCode,
    nothing_to_ask,
    nvml_error,
    why,
)
from chipledger_agent.scan.evidence_lines import (
    END,
    Ended,
    EvidenceLine,
    Failed,
    Mode,
    NoLibrary,
    Signed,
    decode_line,
)
from chipledger_agent.scan.process import Heard, Process, Spawn, hear, spawn
from chipledger_evidence.claims import NoEvidence
from chipledger_evidence.inventory import Inventory, Unread

DEADLINE_S = 60


class NvmlSource:
    """Asks the driver; one child a round, and none while an earlier one cannot be ended."""

    name = NVML
    asks = True

    def __init__(
        self,
        command: Sequence[str],
        *,
        monotonic_ms: Callable[[], int],
        deadline_s: int = DEADLINE_S,
        spawn: Spawn = spawn,
    ) -> None:
        """Take the parts; nothing is started yet.

        Args:
            command: what to run, the nonce left out.
            monotonic_ms: a clock that never jumps, in milliseconds.
            deadline_s: seconds for all chips together.
            spawn: starts a command.
        """
        self._command = tuple(command)
        self._monotonic_ms = monotonic_ms
        self._deadline_s = deadline_s
        self._spawn = spawn
        self._stuck: Process | None = None

    def gather(self, nonce: bytes, inventory: Inventory, *, within_s: int) -> Gathered:
        """Return what the chips sign, or why not; nothing is asked where no mode offers it."""
        reason = nothing_to_ask(NVML, inventory)
        if reason is not None:
            return Gathered(reasons=(reason,))
        if self._still_stuck():
            return _nothing(ReasonCode.STILL_ASKED, "the child of an earlier round cannot be ended")
        try:
            child = self._spawn((*self._command, "--nonce", nonce.hex()))
        except OSError as error:
            return _nothing(ReasonCode.CHILD_FAILED, str(error))
        limit_ms = min(self._deadline_s, within_s) * 1000
        heard = hear(
            child,
            end=END,
            monotonic_ms=self._monotonic_ms,
            deadline_ms=self._monotonic_ms() + limit_ms,
        )
        if child.exited() is None:
            self._stuck = child
        else:
            child.close()
        return _understood(heard, inventory)

    def _still_stuck(self) -> bool:
        if self._stuck is not None and self._stuck.exited() is not None:
            self._stuck.close()
            self._stuck = None
        return self._stuck is not None


def _nothing(code: str, detail: str) -> Gathered:
    return Gathered(reasons=(why(NVML, code, detail=detail),))


def _understood(heard: Heard, inventory: Inventory) -> Gathered:
    """Return what the child told; what it told before it failed or hung stands."""
    places = {chip.index: place for place, chip in enumerate(inventory.chips)}
    found: list[DeviceEvidence] = []
    reasons: list[NoEvidence] = []
    ended = False
    for line in _lines(heard.told):
        ended = ended or isinstance(line, Ended)
        if isinstance(line, Signed):
            place = places.get(line.index)
            found.append(
                DeviceEvidence(source=NVML, transcript=line.report, chain=line.chain, chip=place)
            )
        elif (reason := _reason(line, places)) is not None:
            reasons.append(reason)
    if not ended:
        code = (
            ReasonCode.DEADLINE if heard.overdue or heard.code is None else ReasonCode.CHILD_FAILED
        )
        reasons.append(why(NVML, code, detail=f"exit status {heard.code}"))
    return Gathered(found=tuple(found), reasons=(*reasons, *_left_out(inventory, found, reasons)))


def _lines(told: bytes) -> list[EvidenceLine]:
    """Return the whole lines told, up to the first that is not ours."""
    lines: list[EvidenceLine] = []
    for text in told.split(b"\n")[:-1]:
        try:
            lines.append(decode_line(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            break
    return lines


def _reason(line: EvidenceLine, places: Mapping[int, int]) -> NoEvidence | None:
    match line:
        case NoLibrary():
            return why(NVML, ReasonCode.NVML_ABSENT)
        case Mode(on=False):  # it changed since the scan
            return why(NVML, ReasonCode.CC_OFF)
        case Failed(call=call, error=error, index=index):
            place = None if index is None else places.get(index)
            return why(NVML, _code(error), chip=place, detail=call)
        case _:
            return None


def _code(error: Unread) -> str:
    return nvml_error(error.nvml) if error.nvml else ReasonCode.CHILD_FAILED


def _left_out(
    inventory: Inventory, found: Sequence[DeviceEvidence], reasons: Sequence[NoEvidence]
) -> list[NoEvidence]:
    """Return a reason for each chip that neither signed nor has one, where some were asked."""
    spoken = {item.chip for item in found} | {reason.chip for reason in reasons}
    if not found and spoken <= {None}:
        return []  # nothing was asked: one reason for the whole host stands already
    return [
        why(NVML, ReasonCode.NOT_ASKED, chip=place)
        for place in range(len(inventory.chips))
        if place not in spoken
    ]
