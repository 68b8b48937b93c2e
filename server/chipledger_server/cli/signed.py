"""What parties sign and persons agree to: `event add`, `event state` and `event agree`."""

import argparse
import sys
from pathlib import Path
from typing import Any

from chipledger_book.signing import read_event_file, read_party_statement
from chipledger_server.cli.desk import answer, desk_of, json_option
from chipledger_server.usecases.book.standing import agree, enter_signed, state_signed
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.wiring import Desk


def add_state(event: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register `event state`."""
    command = event.add_parser("state", help="put a party's signature under an event of the ledger")
    command.add_argument("file", type=Path, help="the statement of chipledger-sign; - is stdin")
    json_option(command)
    command.set_defaults(act=_state)
    command = event.add_parser("agree", help="the second person: let a correction take effect")
    command.add_argument("event", help="id of the correction")
    json_option(command)
    command.set_defaults(act=_agree)


def enter_file(arguments: argparse.Namespace, desk: Desk, data: bytes) -> int:
    """Enter a signed event and say what became of it."""
    file = read_event_file(data)
    entered = enter_signed(file, desk.ledger, desk.measure.tables, desk.hand, carrier=None)
    what = entered.event.__struct_config__.tag
    who = ", ".join(f"{one.said.party} as {one.said.role}" for one in file.statements)
    line = f"{what}: entered as {entered.id}, signed by {who}"
    if entered.known_before:
        line = f"{what}: the book holds this event and its signatures, nothing changed"
    value = {
        "id": entered.id,
        "known_before": entered.known_before,
        "event": entered.event,
        "statements": [one.said for one in file.statements],
    }
    return answer(arguments, value, [line])


def _state(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    statement = read_party_statement(_bytes(arguments.file))
    stated = state_signed(statement, desk.ledger, desk.hand, carrier=None)
    word = stated.statement
    line = f"{word.party} stands behind {stated.event} as {word.role}, signed with its own key"
    if stated.known_before:
        line = f"{word.party} stands behind {stated.event} already, nothing changed"
    value = {"event": stated.event, "known_before": stated.known_before, "statement": word}
    return answer(arguments, value, [line])


def _agree(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    stated = agree(arguments.event, desk.ledger, desk.hand, carrier=None)
    line = f"{stated.event}: agreed to; what it corrects stands no longer"
    value = {
        "event": stated.event,
        "known_before": stated.known_before,
        "statement": stated.statement,
    }
    return answer(arguments, value, [line])


def _bytes(path: Path) -> bytes:
    try:
        return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()
    except OSError as error:
        raise Refusal(
            Code.INVALID_PARAMETER, f"{path}: {error.strerror}", hint="name a file that is there"
        ) from error
