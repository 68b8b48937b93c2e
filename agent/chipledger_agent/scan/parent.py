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
from chipledger_agent.scan.process import Process, Spawn, hear, spawn

FIRST_DEADLINE_S = 60
DEADLINE_S = 20
_UNKNOWN = 999


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
        heard = hear(child, end=DONE, monotonic_ms=self._monotonic_ms, deadline_ms=deadline_ms)
        lines, are_ours = _lines(heard.told)
        if heard.too_long or not are_ours:
            return lines, Ending.FAILED
        if heard.overdue or heard.code is None:
            return lines, Ending.TIMED_OUT
        if heard.code < 0:
            return lines, Ending.CRASHED
        return lines, Ending.FINISHED if heard.code == 0 else Ending.FAILED


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
