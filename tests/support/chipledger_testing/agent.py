"""The real agent on a simulated machine: `python -m chipledger_testing.agent --machine F -- …`.

What follows ``--`` are the arguments of `chipledger-agent`. The scan child, and the evidence child
where `evidence.nvml` switches it on, see the machine of the file instead of this one; a scan says
so inside every report (provider ``mock``). Everything else is the shipped program.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from chipledger_agent import wiring
from chipledger_agent.cli import main as agent_main
from chipledger_testing.nvml.child import mock_command
from chipledger_testing.nvml.evidence_child import mock_evidence_command

_USAGE = 2


def main(argv: Sequence[str]) -> int:
    """Run the agent's command line with the machine of the file; return its exit code."""
    match list(argv):
        case ["--machine", machine, "--", *arguments]:
            build = partial(
                wiring.build,
                scan_child=mock_command(Path(machine)),
                evidence_child=mock_evidence_command(Path(machine)),
            )
            return agent_main(arguments, build=build)
        case _:
            sys.stderr.write("usage: chipledger_testing.agent --machine FILE -- ARGUMENTS\n")
            return _USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
