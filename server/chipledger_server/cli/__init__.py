"""The command `chipledger-server`: one module a group of subcommands.

Exit status: 0 done, 1 refused or failed (the reason on standard error), 2 wrong usage.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from chipledger_book.errors import BookError
from chipledger_evidence.errors import EvidenceError
from chipledger_server.adapters.database import FAULTS
from chipledger_server.cli import (
    book,
    findings,
    hosts,
    init,
    moves,
    parties,
    people,
    periods,
    reports,
    result_key,
    rules,
    run,
    samples,
    waits,
)
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.usecases.refusals import Refusal

GROUPS = (
    init,
    run,
    book,
    periods,
    moves,
    people,
    parties,
    hosts,
    result_key,
    reports,
    rules,
    waits,
    findings,
    samples,
)
"""Modules with `add(commands)`, which registers subcommands whose `act(arguments) -> int`."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="chipledger-server",
        description="The collector: verifies, keeps and balances what GPU hosts report.",
    )
    top.add_argument("--config", type=Path, metavar="FILE", help="TOML configuration file")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in GROUPS:
        group.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = parser().parse_args(argv)
    try:
        status: int = arguments.act(arguments)
    except BookError as error:
        for problem in error.problems:
            at = f" at {problem.where}" if problem.where else ""
            print(f"chipledger-server: {problem.code}{at}: {problem.detail}", file=sys.stderr)
            print(f"  {problem.hint}", file=sys.stderr)
        return 1
    except (ServerError, EvidenceError, Refusal) as error:
        print(f"chipledger-server: {error}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        return 1
    except (OSError, *FAULTS) as error:
        said = getattr(error, "orig", None) or error  # the statement and its values are ours
        print(f"chipledger-server: {Code.SYSTEM_REFUSED}: {said}", file=sys.stderr)
        return 1
    return status
