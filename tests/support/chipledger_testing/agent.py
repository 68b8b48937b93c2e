"""The real agent on a simulated machine: `python -m chipledger_testing.agent --machine F -- …`.

What follows ``--`` are the arguments of `chipledger-agent`. The scan child sees the machine of
the file instead of this one and says so inside every report (provider ``mock``); everything
else is the shipped program.
"""

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from chipledger_agent import wiring
from chipledger_agent.cli import main as agent_main
from chipledger_testing.nvml.child import mock_command

_USAGE = 2


def main(argv: Sequence[str]) -> int:
    """Run the agent's command line with the machine of the file; return its exit code."""
    match list(argv):
        case ["--machine", machine, "--", *arguments]:
            child = mock_command(Path(machine))
            return agent_main(arguments, build=partial(wiring.build, scan_child=child))
        case _:
            sys.stderr.write("usage: chipledger_testing.agent --machine FILE -- ARGUMENTS\n")
            return _USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
