"""The scan child of tests: the shipped scan, with a simulated host in the place of NVML.

It is an entry point of its own, so that nothing in the shipped agent can be told to use a
simulation. The record says `mock` (or `tape`) as its provider.

Run as a script it needs no PYTHONPATH::

    python tests/support/chipledger_testing/nvml/child.py --machine FILE
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from chipledger_agent.domain.claims import Scan
from chipledger_agent.scan.child import run, scan
from chipledger_agent.scan.lines import Line
from chipledger_agent.scan.merge import Ending, merge
from chipledger_agent.scan.source import LoadedLibrary, NoLibraryError
from chipledger_testing.nvml.library import MockLibrary, installed, no_delay
from chipledger_testing.nvml.machine import Machine, read_machine
from chipledger_testing.nvml.trees import write_trees

_LIBRARY_NOT_FOUND = 12


class MockSource:
    """Gives a library that answers for one machine."""

    kind = "mock"

    def __init__(self, machine: Machine, *, sleeps: bool = False) -> None:
        self._machine = machine
        self._delay = _sleep if sleeps else no_delay

    def load(self) -> LoadedLibrary:
        """Return the mock library; none when the machine's `init` says LibraryNotFound."""
        init = self._machine.system.get("init")
        if init is not None and init.err == _LIBRARY_NOT_FOUND:
            raise NoLibraryError({})
        return LoadedLibrary(calls=MockLibrary(self._machine, delay=self._delay), unread={})


def _sleep(delay_ms: int) -> None:
    time.sleep(delay_ms / 1000)


def mock_command(*machines: Path, turns: Path | None = None) -> tuple[str, ...]:
    """Return the command of a scan child that sees the host described in a machine file.

    Args:
        machines: one file; or several, of which the first run takes the first, the next run
            the next, and every later run the last.
        turns: file that counts the runs; needed for several machines.
    """
    head = (sys.executable, "-I", str(Path(__file__).resolve()))
    files = tuple(part for path in machines for part in ("--machine", str(path)))
    return (*head, *files, *(() if turns is None else ("--turns", str(turns))))


def scan_in_process(
    machine: Machine, root: Path, *, environment: Mapping[str, str] | None = None
) -> Scan:
    """Return what the shipped scan sees of `machine`, without a child process.

    Args:
        machine: the simulated host.
        root: an empty folder, in which its trees are written.
        environment: what the record may say of the environment; empty if None.
    """
    lines = []

    def emit(line: Line) -> None:
        lines.append(line)

    write_trees(machine, root)
    with installed(None):
        scan(MockSource(machine), root=root, environment=environment or {}, emit=emit)
    return merge(lines, Ending.FINISHED, provider="mock")


def _arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--machine", type=Path, action="append", required=True)
    parser.add_argument("--turns", type=Path)
    return parser.parse_args(argv)


def _turn(path: Path | None) -> int:
    if path is None:
        return 0
    turn = int(path.read_text()) if path.exists() else 0
    path.write_text(str(turn + 1))
    return turn


def main(argv: Sequence[str], environment: Mapping[str, str]) -> None:
    """Scan the machine of this turn once."""
    options = _arguments(argv)
    files: list[Path] = options.machine
    machine = read_machine(files[min(_turn(options.turns), len(files) - 1)])
    with tempfile.TemporaryDirectory(prefix="chipledger-host-") as folder:
        root = write_trees(machine, Path(folder))
        run(MockSource(machine, sleeps=True), root=root, environment=environment)


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
