"""What the administrator's commands share: opening the desk, and answering in text or JSON."""

import argparse
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from chipledger_server.config import load_config
from chipledger_server.wiring import Desk, open_desk


def desk_of(arguments: argparse.Namespace) -> Desk:
    """Return the desk of the configured collector."""
    return open_desk(load_config(arguments.config))


def json_option(command: argparse.ArgumentParser) -> None:
    """Let a command answer in JSON."""
    command.add_argument("--json", action="store_true", help="answer in JSON")


def answer(arguments: argparse.Namespace, value: object, lines: Iterable[str]) -> int:
    """Write the value as JSON if that was asked for, else the lines; return exit status 0."""
    if arguments.json:
        text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
        sys.stdout.write(text + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table; columns whose cells are all numbers stand to the right."""
    body = [list(row) for row in rows]
    columns = list(zip(head, *body, strict=True))
    widths = [max(map(len, column)) for column in columns]
    numeric = [bool(body) and all(map(_is_number, column[1:])) for column in columns]
    return [
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ).rstrip()
        for row in (head, *body)
    ]


def group(commands: Any, name: str, about: str) -> Any:  # noqa: ANN401 - argparse's own type
    """Register a group of subcommands and return where they are added."""
    command = commands.add_parser(name, help=about, description=about)
    return command.add_subparsers(dest="action", required=True, metavar="ACTION")


def _is_number(cell: str) -> bool:
    return cell in {"", "-", "none"} or cell.replace(",", "").lstrip("-").isdigit()
