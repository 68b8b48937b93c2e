"""The command line: `chipledger-agent scan|once|run|enroll|rotate|status|doctor|capture`."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from chipledger_agent import wiring
from chipledger_agent.cli import commands, show
from chipledger_agent.cli.exits import Exit, exit_of_error
from chipledger_agent.config import (
    DEFAULT_PATH,
    AgentConfig,
    load_as_far_as_possible,
    load_config,
)
from chipledger_agent.domain.failures import AgentError

Build = Callable[[AgentConfig], wiring.Agent]
Command = Callable[[wiring.Agent, argparse.Namespace], Exit]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One command: what it is for, and what it needs of the configuration.

    Attributes:
        command: what is run.
        offline: it sends nothing, so no collector need be configured.
        explains: it runs on whatever can be read of the configuration, and says what is wrong.
    """

    command: Command
    offline: bool = False
    explains: bool = False

    def config(self, path: Path) -> AgentConfig:
        """Return the configuration this command runs on; raises `AgentError`."""
        if self.explains:
            return load_as_far_as_possible(path)
        return load_config(path, offline=self.offline)


COMMANDS = {
    "scan": _Entry(command=commands.scan, offline=True),
    "once": _Entry(command=commands.once),
    "run": _Entry(command=commands.run),
    "enroll": _Entry(command=commands.enroll),
    "rotate": _Entry(command=commands.rotate),
    "status": _Entry(command=commands.status, offline=True),
    "doctor": _Entry(command=commands.doctor, explains=True),
    "capture": _Entry(command=commands.capture, offline=True),
}


def main(argv: Sequence[str] | None = None, *, build: Build = wiring.build) -> int:
    """Run one command and return its exit code (:class:`~chipledger_agent.cli.exits.Exit`).

    Args:
        argv: arguments without the program's name; the process's own when not given.
        build: makes the agent's parts from a configuration.
    """
    arguments = _parser().parse_args(argv)
    entry = COMMANDS[arguments.command]
    try:
        return entry.command(build(entry.config(arguments.config)), arguments)
    except AgentError as error:
        show.failure(error)
        return exit_of_error(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chipledger-agent",
        description="Signs what chips this host has and reports it.",
        allow_abbrev=False,
    )
    _add_shared(parser, config=DEFAULT_PATH, json=False)
    parser.add_argument("--version", action="version", version=wiring.software_version())
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    made = {}
    for name, entry in COMMANDS.items():
        about = (entry.command.__doc__ or "").partition("\n")[0]
        made[name] = subparsers.add_parser(name, help=about, description=about, allow_abbrev=False)
        # Unset here means: as given before the command.
        _add_shared(made[name], config=argparse.SUPPRESS, json=argparse.SUPPRESS)
    for name in ("scan", "capture"):
        made[name].add_argument(
            "--library",
            type=Path,
            metavar="PATH",
            help="ask this NVML library instead of the usual ones; nothing of it is ever sent",
        )
    made["capture"].add_argument(
        "--output", type=Path, metavar="FILE", help="write there instead of standard output"
    )
    made["enroll"].add_argument(
        "--code-file",
        type=Path,
        metavar="FILE",
        help="file with the enrolment code (standard input when not given)",
    )
    return parser


def _add_shared(parser: argparse.ArgumentParser, *, config: Path | str, json: bool | str) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        default=config,
        metavar="FILE",
        help=f"configuration (default {DEFAULT_PATH}; conf.d/*.toml beside it is read as well)",
    )
    parser.add_argument("--json", action="store_true", default=json, help="print one JSON object")


if __name__ == "__main__":
    sys.exit(main())
