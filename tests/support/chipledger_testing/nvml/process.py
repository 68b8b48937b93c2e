"""Scan children that behave, on a clock that only moves when somebody waits."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from chipledger_agent.scan.lines import Line, encode_line
from chipledger_agent.scan.process import Process, spawn


@dataclass
class WaitingClock:
    """Milliseconds; moved by the fakes when they are waited for."""

    now_ms: int = 0

    def __call__(self) -> int:
        """Return the time."""
        return self.now_ms


@dataclass
class FakeChild:
    """A child with a script.

    Attributes:
        output: what it writes at once, then it hangs or ends.
        hangs: it never ends by itself.
        unkillable: it does not end by SIGKILL either (an uninterruptible call).
        code: its exit status when it ends by itself.
        told: what it wrote to stderr.
    """

    clock: WaitingClock
    output: bytes = b""
    hangs: bool = False
    unkillable: bool = False
    code: int = 0
    told: str = ""
    killed: int = 0
    closed: bool = False
    gone: bool = False

    def read(self, timeout_ms: int) -> bytes | None:
        """Return the output, then nothing until the end."""
        if self.output:
            output, self.output = self.output, b""
            return output
        if not self.hangs:
            return None
        self.clock.now_ms += timeout_ms
        return b""

    def exited(self) -> int | None:
        """Return the exit status once it is gone."""
        if self.gone or (self.killed and not self.unkillable):
            return -9
        return None if self.hangs else self.code

    def wait(self, timeout_ms: int) -> int | None:
        """Let time pass for a child that does not end."""
        if self.exited() is None:
            self.clock.now_ms += timeout_ms
        return self.exited()

    def kill(self) -> None:
        """Count the signal."""
        self.killed += 1

    def note(self) -> str:
        """Return what it wrote to stderr."""
        return self.told

    def close(self) -> None:
        """Remember that the pipes were let go."""
        self.closed = True


@dataclass
class FakeSpawn:
    """Hands out children in order and remembers the commands."""

    children: list[FakeChild]
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, command: Sequence[str]) -> Process:
        """Start the next child; none left is a system that cannot start one."""
        self.commands.append(tuple(command))
        if not self.children:
            raise OSError("no more children")
        return self.children.pop(0)


def told(*lines: Line) -> bytes:
    """Return what a child that told these lines wrote."""
    return b"".join(encode_line(line) for line in lines)


class ImpatientWatch:
    """A spawn and a clock for real children that hang: time passes only once they do.

    The clock stands until the child has told `marker` and is silent after it; then an hour is
    over. So a slow machine cannot make a hang come too early, and no test waits for one.
    """

    def __init__(self, marker: bytes) -> None:
        self._marker = marker
        self._told = b""
        self._now_ms = 0

    def __call__(self) -> int:
        """Return the time in milliseconds."""
        return self._now_ms

    def spawn(self, command: Sequence[str]) -> Process:
        """Start a real child and watch what it tells."""
        return _Watched(spawn(command), self)

    def heard(self, data: bytes) -> None:
        """Take note of what the child told, or that it told nothing."""
        self._told += data
        if not data and self._marker in self._told:
            self._now_ms += 3_600_000


class _Watched:
    """A real child whose words are watched."""

    def __init__(self, child: Process, watch: ImpatientWatch) -> None:
        self._child = child
        self._watch = watch
        self.exited = child.exited
        self.wait = child.wait
        self.kill = child.kill
        self.note = child.note
        self.close = child.close

    def read(self, timeout_ms: int) -> bytes | None:
        """Return what the child told."""
        data = self._child.read(timeout_ms)
        if data is not None:
            self._watch.heard(data)
        return data
