"""`chipledger-server run`: serve until told to stop."""

import argparse
from typing import Any


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommand."""
    command = commands.add_parser("run", help="serve agents, auditors and screens")
    command.set_defaults(act=act)


def act(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    raise NotImplementedError(arguments)
