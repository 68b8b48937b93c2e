"""`chipledger-server init`: make the database, its keys and the first administrator."""

import argparse
import sys
from pathlib import Path
from typing import Any

from chipledger_server.config import load_config
from chipledger_server.wiring import initialise


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommand."""
    command = commands.add_parser("init", help="make database, keys and first administrator")
    command.add_argument("--administrator", default="administrator", help="its name")
    command.add_argument(
        "--token-file", type=Path, help="write the administrator's token there (mode 0600)"
    )
    command.set_defaults(act=act)


def act(arguments: argparse.Namespace) -> int:
    """Initialise, and show the administrator's token this once."""
    token = initialise(
        load_config(arguments.config),
        administrator=arguments.administrator,
        token_file=arguments.token_file,
    )
    if arguments.token_file is None:
        sys.stdout.write(f"{token}\n")
    return 0
