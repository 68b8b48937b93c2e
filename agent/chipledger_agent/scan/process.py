"""One child process and its output, read with a deadline and never waited for without one."""

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_OUTPUT_BYTES = 16 << 20
_NOTE_BYTES = 4096
_CHUNK_BYTES = 1 << 16
_GRACE_MS = 2_000
_STEP_MS = 50


class Process(Protocol):
    """A started scan child."""

    def read(self, timeout_ms: int) -> bytes | None:
        """Return bytes of stdout, `b""` when none came in time, None at its end."""
        ...

    def exited(self) -> int | None:
        """Return the exit status (negative: the signal), None while it lives. Never waits."""
        ...

    def wait(self, timeout_ms: int) -> int | None:
        """Return the exit status, or None when it still lives after that time."""
        ...

    def kill(self) -> None:
        """Send SIGKILL; a process in an uninterruptible call stays all the same."""
        ...

    def note(self) -> str:
        """Return the tail of what it wrote to stderr."""
        ...

    def close(self) -> None:
        """Let go of its pipes."""
        ...


Spawn = Callable[[Sequence[str]], Process]


class ChildProcess:
    """A real process, started by exec, in a session of its own."""

    def __init__(self, command: Sequence[str]) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - the command is a constructor argument
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        stdout, stderr = self._process.stdout, self._process.stderr
        if stdout is None or stderr is None:
            raise AssertionError("both are pipes")
        self._stdout, self._stderr = stdout.fileno(), stderr.fileno()
        self._note = b""
        self._selector = selectors.DefaultSelector()
        for descriptor in (self._stdout, self._stderr):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, selectors.EVENT_READ)

    def read(self, timeout_ms: int) -> bytes | None:
        """Return bytes of stdout; see :class:`Process`."""
        if self._stdout not in self._selector.get_map():
            return None
        for key, _ in self._selector.select(timeout_ms / 1000):
            data = self._take(key.fd)
            if key.fd == self._stdout:
                return data or None
            self._note = (self._note + data)[-_NOTE_BYTES:]
        return b""

    def _take(self, descriptor: int) -> bytes:
        data = os.read(descriptor, _CHUNK_BYTES)
        if not data:
            self._selector.unregister(descriptor)
        return data

    def exited(self) -> int | None:
        """Return the exit status, if there is one yet."""
        return self._process.poll()

    def wait(self, timeout_ms: int) -> int | None:
        """Return the exit status, or None when it still lives after that time."""
        try:
            return self._process.wait(timeout_ms / 1000)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """Send SIGKILL to the child's whole session."""
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            self._process.kill()

    def note(self) -> str:
        """Return the tail of stderr, what lies ready in the pipe included."""
        while self._stderr in self._selector.get_map():
            try:
                data = self._take(self._stderr)
            except BlockingIOError:
                break
            self._note = (self._note + data)[-_NOTE_BYTES:]
        return self._note.decode("utf-8", "replace")

    def close(self) -> None:
        """Close both pipes and the selector."""
        self._selector.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a child told, and how it ended.

    Attributes:
        told: what it wrote to stdout.
        code: its exit status (negative: the signal); None when it could not be ended.
        overdue: the deadline passed first.
        too_long: it wrote more than any child of ours does.
    """

    told: bytes
    code: int | None
    overdue: bool
    too_long: bool


def hear(
    child: Process,
    *,
    end: bytes | None,
    monotonic_ms: Callable[[], int],
    deadline_ms: int,
    max_bytes: int = MAX_OUTPUT_BYTES,
) -> Heard:
    """Read until `child` wrote `end`, ended, or is overdue, and see to it that it is gone.

    Args:
        child: a started process.
        end: the last bytes of a child that went to its end; None when only its end tells.
        monotonic_ms: the clock.
        deadline_ms: by that clock.
        max_bytes: most bytes it may write.
    """
    told = bytearray()
    overdue = too_long = False
    while not (end and told.endswith(end)) and (data := child.read(_STEP_MS)) is not None:
        told += data
        overdue = monotonic_ms() >= deadline_ms
        too_long = len(told) > max_bytes
        if overdue or too_long:
            child.kill()
            break
    return Heard(told=bytes(told), code=_collect(child), overdue=overdue, too_long=too_long)


def _collect(child: Process) -> int | None:
    """Give an ending child a moment to be gone, then kill it; never wait without end."""
    code = child.wait(_GRACE_MS)
    if code is None:
        child.kill()
        code = child.wait(_GRACE_MS)
    return code


def spawn(command: Sequence[str]) -> Process:
    """Start `command`.

    Raises:
        OSError: it could not be started.
    """
    return ChildProcess(command)
