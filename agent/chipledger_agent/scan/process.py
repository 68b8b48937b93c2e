"""One child process and its output, read with a deadline and never waited for without one."""

import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Sequence
from typing import Protocol

MAX_OUTPUT_BYTES = 16 << 20
_NOTE_BYTES = 4096
_CHUNK_BYTES = 1 << 16


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


def spawn(command: Sequence[str]) -> Process:
    """Start `command`.

    Raises:
        OSError: it could not be started.
    """
    return ChildProcess(command)
