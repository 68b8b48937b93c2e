"""`chipledger-server run`: serve until told to stop."""

import argparse
import asyncio
from typing import Any

import uvloop

from chipledger_server.adapters.process import log_as_json
from chipledger_server.config import load_config, supervisor_address
from chipledger_server.service import serve
from chipledger_server.web.serving import check_listen, check_parts


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommand."""
    command = commands.add_parser("run", help="serve agents, auditors and screens")
    command.set_defaults(act=act)


def act(arguments: argparse.Namespace) -> int:
    """Serve until told to stop."""
    config = load_config(arguments.config)
    log_as_json()
    check_parts()
    check_listen(config.listen)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(config, supervisor=supervisor_address()))
    return 0
