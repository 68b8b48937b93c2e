"""The evidence child of tests: the shipped one, with a simulated host in the place of NVML.

Run as a script it needs no PYTHONPATH::

    python tests/support/chipledger_testing/nvml/evidence_child.py --machine FILE --nonce HEX
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from chipledger_agent.scan.evidence import collect, nonce_of, run
from chipledger_agent.scan.evidence_lines import EvidenceLine
from chipledger_testing.nvml.child import MockSource
from chipledger_testing.nvml.library import installed
from chipledger_testing.nvml.machine import Machine, read_machine


def mock_evidence_command(machine: Path) -> tuple[str, ...]:
    """Return the command of an evidence child for the host of a machine file, without nonce."""
    return (sys.executable, "-I", str(Path(__file__).resolve()), "--machine", str(machine))


def lines_of(machine: Machine, nonce: bytes) -> list[EvidenceLine]:
    """Return what the shipped child tells of `machine`, without a process."""
    lines: list[EvidenceLine] = []
    with installed(None):
        collect(MockSource(machine), nonce, lines.append)
    return lines


def main(argv: Sequence[str]) -> None:
    """Collect once."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--machine", type=Path, required=True)
    parser.add_argument("--nonce", type=nonce_of, required=True)
    options = parser.parse_args(argv)
    run(MockSource(read_machine(options.machine), sleeps=True), options.nonce)


if __name__ == "__main__":
    main(sys.argv[1:])
