"""Entering many events at once: `import events FILE`."""

import argparse
import sys
from pathlib import Path
from typing import Any, Final, TextIO

from chipledger_book.events import Role
from chipledger_book.imports.drafts import RowProblem
from chipledger_server.cli.desk import answer, desk_of, json_option
from chipledger_server.usecases.book.entering import Imported, by_speaker, enter_all, read_file
from chipledger_server.usecases.book.entry import Speaker
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.words import number, pieces

_STEPS: Final = 20


def add_events(importing: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommand."""
    command = importing.add_parser(
        "events", help="enter every event of a CSV or JSON file, or none of them"
    )
    command.add_argument("file", type=Path, help="docs/BOOK.md has the columns; - is stdin")
    command.add_argument(
        "--dry-run", action="store_true", help="say what would happen, row by row; write nothing"
    )
    command.add_argument(
        "--as",
        dest="role",
        choices=[role.value for role in Role],
        default=Role.COLLECTOR.value,
        help="as what the statements are made",
    )
    command.add_argument("--party", help="party id on whose behalf they are made")
    json_option(command)
    command.set_defaults(act=_import_events)


class _Progress:
    """Says on a stream how far an import is, about twenty times at most."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._said = -1

    def say(self, text: str) -> None:
        """Say one thing."""
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def __call__(self, done: int, every: int) -> None:
        """Say how many events of how many are held to the book."""
        step = done * _STEPS // every
        if step > self._said:
            self._said = step
            self.say(f"  {number(done)} of {pieces(every, 'event')} held to the book")


def _import_events(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    progress = _Progress(sys.stderr)
    data = _bytes(arguments.file)
    progress.say(f"reading {arguments.file}: {number(len(data))} bytes")
    reading = read_file(data)
    progress.say(
        f"  {pieces(reading.rows, 'row')}, {pieces(len(reading.drafts), 'event')},"
        f" {pieces(reading.names, 'serial')}"
    )
    speaker = Speaker(role=Role(arguments.role), party=arguments.party)
    done = enter_all(
        reading,
        desk.ledger,
        desk.measure.tables,
        desk.hand,
        speaking=by_speaker(speaker),
        dry_run=arguments.dry_run,
        progress=progress,
    )
    answer(arguments, done, _words(done))
    return 1 if done.problems else 0


def _words(done: Imported) -> list[str]:
    if done.problems:
        found = pieces(len(done.problems), "problem")
        return [*map(RowProblem.line, done.problems), f"{found}; nothing was entered"]
    known = f"; {pieces(len(done.known), 'event')} the book holds already" if done.known else ""
    if not done.entered:
        return [f"nothing new{known}, nothing changed"]
    said = f"{pieces(len(done.entered), 'event')} of {pieces(done.rows, 'row')}"
    verb = "would be entered" if done.dry_run else "entered"
    return [f"{said} {verb}{known}"]


def _bytes(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise Refusal(
            Code.INVALID_PARAMETER, f"{path}: {error.strerror}", hint="name a file that is there"
        ) from error
