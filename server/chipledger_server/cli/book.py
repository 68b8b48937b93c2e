"""Entering the book: `site`, `licence`, `receive`, `event` and `import`.

Everything entered here is recorded as entered by an account (``local:<uid>``); it is never
called signed.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from chipledger_book.errors import Code, refuse
from chipledger_book.events import (
    ByBoard,
    ByCount,
    ByUnit,
    Correction,
    DeclaredInventory,
    Event,
    Line,
    Received,
    Role,
    SiteDeclared,
    read_event,
)
from chipledger_book.ledger import fold
from chipledger_book.licences import LicenceRef
from chipledger_book.parties import Site
from chipledger_book.signing import is_event_file
from chipledger_server.cli import imports, signed
from chipledger_server.cli.desk import answer, desk_of, group, json_option, table
from chipledger_server.usecases.book.entry import Entered, Speaker, enter
from chipledger_server.usecases.book.importing import declared_inventory
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code as RefusalCode
from chipledger_server.usecases.refusals import Refusal
from chipledger_server.usecases.times import instant_ms
from chipledger_server.usecases.words import pieces
from chipledger_server.wiring import Desk

_PARTY_PARTS = 3


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommands."""
    _add_site(group(commands, "site", "declare sites and list them"))
    licence = group(commands, "licence", "enter licences and exceptions")
    command = licence.add_parser("add", help="enter a licence from a JSON file")
    command.add_argument(
        "file", type=Path, help="a licence, or a licence-granted event; - is stdin"
    )
    entry_options(command)
    command.set_defaults(act=_licence_add)
    _add_receive(commands)
    event = group(commands, "event", "enter any event of the ledger")
    command = event.add_parser("add", help="enter an event from a JSON file, or a signed one")
    command.add_argument("file", type=Path, help="the event, signed or not; - is stdin")
    entry_options(command)
    command.set_defaults(act=_event_add)
    signed.add_state(event)
    _add_import(commands)


def _add_site(site: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command = site.add_parser("add", help="declare a site, or what changed about it")
    command.add_argument("file", type=Path, nargs="?", help="a site in JSON; - is stdin")
    command.add_argument("--id", help="lower-case letters, digits and hyphens")
    command.add_argument("--name", help="what people call it")
    command.add_argument("--country", help="ISO 3166-1 alpha-2")
    for party in ("operator", "consignee", "parent"):
        command.add_argument(
            f"--{party}", metavar="ID:NAME:CC", help=f"{party}, with its headquarters"
        )
    command.add_argument("--test", action="store_true", help="accepts simulated chips")
    entry_options(command)
    command.set_defaults(act=_site_add)
    listing = site.add_parser("list", help="list the declared sites")
    json_option(listing)
    listing.set_defaults(act=_site_list)


def _add_receive(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command = commands.add_parser("receive", help="enter a receipt: chips that a site took in")
    command.add_argument("file", type=Path, nargs="?", help="a received event; - is stdin")
    command.add_argument("--site", help="who received")
    line_options(command)
    command.add_argument("--shipper", help="party id of the sender")
    command.add_argument("--shipment", default="", help="the shipper's reference")
    command.add_argument(
        "--charged-to", nargs=2, metavar=("ISSUER", "NUMBER"), help="licence it was shipped under"
    )
    command.add_argument(
        "--again", action="store_true", help="a second delivery, equal to one of the last 24 hours"
    )
    entry_options(command)
    command.set_defaults(act=_receive)


def line_options(command: argparse.ArgumentParser) -> None:
    """Add the flags that name chips."""
    command.add_argument("--sku", help="chip model, by number or by board serials")
    command.add_argument("--unit", metavar="MODEL", help="tray, server or rack model, by serials")
    command.add_argument("--pieces", type=int, help="number of chips, where no serial is known")
    command.add_argument("--serials", help="serials, separated by commas")


def _add_import(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    importing = group(commands, "import", "import events from a file, or a declared inventory")
    command = importing.add_parser(
        "nvidia-smi", help="declared inventory (G0): a document of `nvidia-smi -q -x`"
    )
    command.add_argument("file", type=Path)
    command.add_argument("--site", required=True, help="where the machine is said to stand")
    command.add_argument("--label", help="name of the machine; the file's name if left out")
    entry_options(command)
    command.set_defaults(act=_import_smi)
    imports.add_events(importing)


def entry_options(command: argparse.ArgumentParser) -> None:
    """Add when it happened, and as what and for whom it is said."""
    command.add_argument("--at", metavar="TIME", help="when it happened: day or RFC 3339; now")
    command.add_argument(
        "--as",
        dest="role",
        choices=[role.value for role in Role],
        default=Role.COLLECTOR.value,
        help="as what the statement is made",
    )
    command.add_argument("--party", help="party id on whose behalf it is made")
    json_option(command)


def _site_add(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    at_ms = happened(arguments, desk)
    if arguments.file is not None:
        event, _ = _wrapped(arguments.file, "site-declared", "site", at_ms)
    else:
        event = SiteDeclared(occurred_at_ms=at_ms, site=_site_from(arguments))
    return enter_event(arguments, desk, event)


def _site_from(arguments: argparse.Namespace) -> Site:
    named = ("id", "name", "country", "operator", "consignee", "parent")
    absent = [f"--{name}" for name in named if getattr(arguments, name) is None]
    if absent:
        raise usage(f"site add needs {', '.join(absent)}, or a file")
    # Through the strict reader, so that flags are held to the same bounds as a file.
    site = {
        "id": arguments.id,
        "name": arguments.name,
        "country": arguments.country,
        "operator": _party(arguments.operator),
        "consignee": _party(arguments.consignee),
        "ultimate_parent": _party(arguments.parent),
        "test": arguments.test,
    }
    event = read_event(
        json.dumps({"type": "site-declared", "occurred_at_ms": 0, "site": site}).encode()
    )
    if not isinstance(event, SiteDeclared):
        raise TypeError("the reader keeps the type it is told")
    return event.site


def _party(text: str) -> dict[str, str]:
    parts = text.split(":")
    if len(parts) != _PARTY_PARTS:
        raise usage(f"{text!r} is no party: write ID:NAME:CC, e.g. acme:Acme Ltd:MY")
    return {"id": parts[0], "name": parts[1], "headquarters": parts[2]}


def _site_list(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    now = When(as_of_ms=desk.hand.now_ms, known_at_ms=desk.hand.now_ms)
    with desk.reads.snapshot() as snapshot:
        book = fold(snapshot.all_records(now))
    sites = [book.site(name, now.as_of_ms) for name in book.site_ids()]
    rows = [
        (s.id, s.name, s.country, s.operator.id, s.ultimate_parent.id, "yes" if s.test else "no")
        for s in sites
    ]
    return answer(
        arguments, sites, table(("site", "name", "country", "operator", "parent", "test"), rows)
    )


def _licence_add(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    event, bare = _wrapped(arguments.file, "licence-granted", "licence", happened(arguments, desk))
    return enter_event(arguments, desk, event, undated=bare and arguments.at is None)


def _receive(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    if arguments.file is not None:
        return enter_event(arguments, desk, read_event(_bytes(arguments.file)))
    if arguments.site is None:
        raise usage("receive needs --site, or a file")
    charged = arguments.charged_to
    draft = Received(
        occurred_at_ms=happened(arguments, desk),
        site=arguments.site,
        lines=(line_of(arguments),),
        shipper=arguments.shipper,
        shipment=arguments.shipment,
        charged_to=LicenceRef(issuer=charged[0], number=charged[1]) if charged else None,
    )
    undated = arguments.at is None and not arguments.again
    return enter_event(arguments, desk, checked(draft), undated=undated)


def line_of(arguments: argparse.Namespace) -> Line:
    """Return the line that flags describe."""
    serials = tuple(arguments.serials.split(",")) if arguments.serials else ()
    if arguments.unit is not None and serials and arguments.sku is None:
        return ByUnit(model=arguments.unit, serials=serials)
    if arguments.sku is not None and serials and arguments.pieces is None:
        return ByBoard(sku=arguments.sku, serials=serials)
    if arguments.sku is not None and arguments.pieces is not None and not serials:
        return ByCount(sku=arguments.sku, pieces=arguments.pieces)
    raise usage("say --sku with --pieces, --sku with --serials, or --unit with --serials")


def _event_add(arguments: argparse.Namespace) -> int:
    data = _bytes(arguments.file)
    if is_event_file(data):
        return signed.enter_file(arguments, desk_of(arguments), data)
    return enter_event(arguments, desk_of(arguments), read_event(data))


def _import_smi(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    declared = declared_inventory(
        _bytes(arguments.file),
        site=arguments.site,
        label=arguments.label or arguments.file.name,
        title=arguments.file.name,
        at_ms=happened(arguments, desk),
    )
    short = (
        f"  the document counts {pieces(declared.missing, 'more chip')} than it lists:"
        " a chip was lost, or the document was cut"
    )
    return enter_event(arguments, desk, declared.event, notes=(short,) if declared.missing else ())


def enter_event(
    arguments: argparse.Namespace,
    desk: Desk,
    event: Event,
    *,
    undated: bool = False,
    notes: Sequence[str] = (),
) -> int:
    """Enter an event and say what became of it, with `notes` for a person."""
    speaker = Speaker(role=Role(arguments.role), party=arguments.party)
    tables = desk.measure.tables
    entered = enter(event, desk.ledger, tables, desk.hand, speaker=speaker, undated=undated)
    return answer(
        arguments,
        {"id": entered.id, "known_before": entered.known_before, "event": entered.event},
        [*_words(entered), *notes],
    )


def _words(entered: Entered) -> list[str]:
    what = entered.event.__struct_config__.tag
    if entered.known_before:
        return [f"{what}: the book holds this event already, nothing changed ({entered.id})"]
    lines = [f"{what}: entered as {entered.id}"]
    if isinstance(entered.event, Correction):
        lines.append(
            "  it waits: what it corrects stands until another person, an auditor or"
            " administrator, agrees"
        )
    if isinstance(entered.event, DeclaredInventory):
        chips = sum(not chip.virtual for chip in entered.event.chips)
        lines.append(f"  {chips} chips declared (G0): a column of their own, they fill no hole")
    return lines


def _wrapped(path: Path, kind: str, member: str, at_ms: int) -> tuple[Event, bool]:
    """Return the event in a file, or the one made of the bare object in it, and which it is.

    The object's bytes go through the strict reader as they are, so nothing it refuses (a member
    that stands twice, a fraction) is lost on the way.
    """
    data = _bytes(path)
    try:
        plain = json.loads(data)
    except ValueError as error:
        raise refuse(Code.MALFORMED_EVENT, f"{path}: {error}", hint="give JSON") from error
    bare = isinstance(plain, dict) and member not in plain
    if bare:
        data = b'{"type":"%s","occurred_at_ms":%d,"%s":%s}' % (
            kind.encode(),
            at_ms,
            member.encode(),
            data,
        )
    event = read_event(data)
    if event.__struct_config__.tag != kind:
        raise refuse(
            Code.MALFORMED_EVENT,
            f"{path} holds a {event.__struct_config__.tag}, not a {kind}",
            where="type",
            hint="enter other events with: chipledger-server event add FILE",
        )
    return event, bare


def checked(event: Event) -> Event:
    """Return an event made of flags, held to the bounds of one from a file."""
    return read_event(msgspec.json.encode(event))


def happened(arguments: argparse.Namespace, desk: Desk) -> int:
    """Return when it happened, in Unix milliseconds: as said, or now."""
    return desk.hand.now_ms if arguments.at is None else instant_ms(arguments.at)


def _bytes(path: Path) -> bytes:
    if str(path) == "-":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise usage(f"{path}: {error.strerror}") from error


def usage(detail: str) -> Refusal:
    """Return the refusal of a command that was given wrongly."""
    return Refusal(RefusalCode.INVALID_PARAMETER, detail, hint="--help shows what a command takes")
