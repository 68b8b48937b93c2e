"""Runs scan children: one at a time, never longer than its deadline, never on top of a stuck one.

NVML is not touched in this process. A child that cannot be killed (an uninterruptible call
into a wedged driver) is remembered and asked about without waiting; until it is gone, scans
show the views that need no NVML and say that NVML is unresponsive.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from chipledger_agent.domain.claims import Scan
from chipledger_agent.scan.command import scan_command
from chipledger_agent.scan.lines import DONE, Line, decode_line
from chipledger_agent.scan.merge import Ending, merge, stuck
from chipledger_agent.scan.pci import pci_view
from chipledger_agent.scan.proc import proc_view
from chipledger_agent.scan.process import MAX_OUTPUT_BYTES, Process, Spawn, spawn

FIRST_DEADLINE_S = 60
DEADLINE_S = 20
_UNKNOWN = 999
_GRACE_MS = 2_000
_STEP_MS = 50


class ChildScanner:
    """Scans this machine by children; keep one for the life of the daemon."""

    def __init__(
        self,
        *,
        monotonic_ms: Callable[[], int],
        command: Sequence[str] | None = None,
        first_deadline_s: int = FIRST_DEADLINE_S,
        deadline_s: int = DEADLINE_S,
        root: Path = Path("/"),
        spawn: Spawn = spawn,
    ) -> None:
        """Take the parts; nothing is started yet.

        Args:
            monotonic_ms: a clock that never jumps, in milliseconds.
            command: what to run; the real child unless a test says otherwise.
            first_deadline_s: limit of the first scan, when GPUs may have to be initialised.
            deadline_s: limit of every later scan.
            root: prefix of /sys and /proc for the views read here while a child is stuck.
            spawn: starts a command.
        """
        self._monotonic_ms = monotonic_ms
        self._command = tuple(scan_command(root=root) if command is None else command)
        self._first_deadline_ms = first_deadline_s * 1000
        self._deadline_ms = deadline_s * 1000
        self._root = root
        self._spawn = spawn
        self._scanned = False
        self._stuck: Process | None = None
        self.note = ""

    def scan(self) -> Scan:
        """Return what one look at the machine shows; every failure is inside the result."""
        if self._still_stuck():
            return self._without_nvml()
        scan = self._one()
        if _deserves_another(scan) and not self._still_stuck():
            scan = self._one()  # Unknown may be a passing fault; once more, in a new child
        self._scanned = True
        return scan

    def _still_stuck(self) -> bool:
        if self._stuck is not None and self._stuck.exited() is not None:
            self._stuck.close()
            self._stuck = None
        return self._stuck is not None

    def _without_nvml(self) -> Scan:
        lines: list[Line] = [pci_view(self._root), proc_view(self._root)]
        return stuck(merge(lines, Ending.TIMED_OUT, provider="nvml"))

    def _one(self) -> Scan:
        try:
            child = self._spawn(self._command)
        except OSError as error:
            self.note = str(error)
            return merge([], Ending.FAILED, provider="nvml")
        limit = self._deadline_ms if self._scanned else self._first_deadline_ms
        heard, ending = self._listen(child, deadline_ms=self._monotonic_ms() + limit)
        self.note = child.note()
        if child.exited() is None:
            self._stuck = child
        else:
            child.close()
        return merge(heard, ending, provider="nvml")

    def _listen(self, child: Process, *, deadline_ms: int) -> tuple[list[Line], Ending]:
        """Read until the child ends or the deadline passes, and see to it that it is gone."""
        told = bytearray()
        overdue = too_long = False
        while not told.endswith(DONE) and (data := child.read(_STEP_MS)) is not None:
            told += data
            overdue = self._monotonic_ms() >= deadline_ms
            too_long = len(told) > MAX_OUTPUT_BYTES
            if overdue or too_long:
                child.kill()
                break
        code = _collect(child)
        lines, are_ours = _lines(bytes(told))
        if too_long or not are_ours:
            return lines, Ending.FAILED
        if overdue or code is None:
            return lines, Ending.TIMED_OUT
        if code < 0:
            return lines, Ending.CRASHED
        return lines, Ending.FINISHED if code == 0 else Ending.FAILED


def _collect(child: Process) -> int | None:
    """Give an ending child a moment to be gone, then kill it; never wait without end."""
    code = child.wait(_GRACE_MS)
    if code is None:
        child.kill()
        code = child.wait(_GRACE_MS)
    return code


def _lines(told: bytes) -> tuple[list[Line], bool]:
    """Return the whole lines told up to the first that is not ours, and whether all were.

    A torn last line is dropped: the child died while it wrote.
    """
    *whole, _torn = told.split(b"\n")
    lines: list[Line] = []
    for text in whole:
        try:
            lines.append(decode_line(text))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return lines, False
    return lines, True


def _deserves_another(scan: Scan) -> bool:
    inventory = scan.inventory
    codes = [inventory.error, *(chip.lost for chip in inventory.chips)]
    return any(reason is not None and reason.nvml == _UNKNOWN for reason in codes)
