"""What moves, rests, leaves, and what others say of it: `ship`, `transfer`, `rma` and the like.

Two-sided events name the first side by its event id, and take from it what they do not say.
"""

import argparse
from typing import Any

import msgspec

from chipledger_book.errors import Code, refuse
from chipledger_book.events import Event, LedgerRecord, Line, Role, read_event
from chipledger_book.ledger import Book, fold
from chipledger_book.movements import (
    Confirmed,
    Decommissioned,
    Destroyed,
    LostOrStolen,
    Moved,
    RmaIn,
    RmaOut,
    Shipped,
    Stored,
    TransferIn,
    TransferOut,
    Unstored,
    Witness,
)
from chipledger_book.remark_rules import OTHER_SIDE
from chipledger_book.sides import other_side
from chipledger_book.terms import Document
from chipledger_evidence.codec import encode_canonical
from chipledger_server.cli.book import (
    enter_event,
    entry_options,
    happened,
    line_of,
    line_options,
)
from chipledger_server.cli.desk import desk_of, group
from chipledger_server.usecases.reading import When
from chipledger_server.wiring import Desk

_DISPOSALS: dict[str, type[Destroyed | Decommissioned]] = {
    "destroyed": Destroyed,
    "decommissioned": Decommissioned,
}


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommands."""
    _add_leaving(commands)
    _add_two_sided(commands)
    _add_stored(commands)
    _add_gone(commands)


def _add_leaving(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command = _listing(commands, "ship", "chips left a site for a party outside this ledger")
    command.add_argument("--to", required=True, metavar="PARTY", help="party that is to receive")
    command.add_argument("--country", required=True, help="where they go, ISO 3166-1 alpha-2")
    command.add_argument("--shipment", default="", help="reference; keeps equal shipments apart")
    command.set_defaults(act=_ship)


def _add_two_sided(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    transfer = group(commands, "transfer", "between two sites of this ledger: out, then in")
    command = _listing(transfer, "out", "chips left a site for another one")
    command.add_argument("--to", required=True, metavar="SITE", help="where they go")
    command.add_argument("--shipment", default="", help="reference; keeps equal transfers apart")
    command.set_defaults(act=_transfer_out)
    _answering(transfer, "in", "what a transfer out brought, all of it unless lines are named")
    rma = group(commands, "rma", "back to the vendor and from it: out, confirm, in")
    command = _listing(rma, "out", "chips went back to their vendor")
    command.add_argument("--vendor", required=True, help="party id of the vendor")
    command.add_argument("--case", required=True, help="the vendor's case number")
    command.set_defaults(act=_rma_out)
    _answering(rma, "in", "what came for an RMA, as many as went unless lines are named")
    command = commands.add_parser("confirm", help="enter the other side's word on an event")
    command.add_argument("event", help="id of the event")
    command.add_argument("--document", metavar="SHA256", help="its paper, that an auditor accepted")
    entry_options(command)
    command.set_defaults(act=_confirm, role=None)


def _add_stored(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command = _listing(commands, "store", "chips were put under seal")
    command.add_argument("--place", required=True, help="cage, room or container")
    command.add_argument("--seal", required=True, help="number of the seal")
    command.set_defaults(act=_store)
    command = commands.add_parser("unstore", help="a seal was taken off")
    command.add_argument("event", help="id of the event that stored them")
    command.add_argument("--found", required=True, choices=("intact", "broken", "missing"))
    entry_options(command)
    command.set_defaults(act=_unstore)


def _add_gone(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command = _listing(commands, "dispose", "chips were destroyed or scrapped before a witness")
    command.add_argument("--how", choices=sorted(_DISPOSALS), default="destroyed")
    command.add_argument("--witness", nargs=2, required=True, metavar=("NAME", "PARTY"))
    command.add_argument(
        "--document", metavar="SHA256", required=True, help="certificate, as sha256sum prints it"
    )
    command.set_defaults(act=_dispose)
    command = _listing(commands, "lost", "chips are gone; they stay on the book")
    command.add_argument("--how", choices=("lost", "stolen"), default="lost")
    command.add_argument("--reported-to", default="", help="authority, and its reference")
    command.set_defaults(act=_lost)


def _listing(commands: Any, name: str, about: str) -> Any:  # noqa: ANN401 - argparse's own type
    """Register a command that lists chips of a site."""
    command = commands.add_parser(name, help=about)
    command.add_argument("--site", required=True, help="which site")
    line_options(command)
    command.add_argument(
        "--again", action="store_true", help="a second one, equal to one of the last 24 hours"
    )
    entry_options(command)
    return command


def _answering(commands: Any, name: str, about: str) -> None:  # noqa: ANN401 - argparse's own type
    command = commands.add_parser(name, help=about)
    command.add_argument("event", help="id of the event that it answers")
    line_options(command)
    command.add_argument(
        "--again", action="store_true", help="a second one, equal to one of the last 24 hours"
    )
    entry_options(command)
    command.set_defaults(act=_answer)


def _ship(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    event = Shipped(
        occurred_at_ms=happened(arguments, desk),
        site=arguments.site,
        lines=(line_of(arguments),),
        consignee=arguments.to,
        country=arguments.country,
        shipment=arguments.shipment,
    )
    return _enter(arguments, desk, event)


def _transfer_out(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    event = TransferOut(
        occurred_at_ms=happened(arguments, desk),
        site=arguments.site,
        to_site=arguments.to,
        lines=(line_of(arguments),),
        shipment=arguments.shipment,
    )
    return _enter(arguments, desk, event)


def _rma_out(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    event = RmaOut(
        occurred_at_ms=happened(arguments, desk),
        site=arguments.site,
        lines=(line_of(arguments),),
        vendor=arguments.vendor,
        case=arguments.case,
    )
    return _enter(arguments, desk, event)


def _answer(arguments: argparse.Namespace) -> int:
    """Enter what arrived for a transfer or an RMA; which it is, its first side says."""
    desk = desk_of(arguments)
    first = _first(desk, arguments.event)
    at_ms = happened(arguments, desk)
    if isinstance(first, TransferOut) and arguments.command == "transfer":
        return _enter(
            arguments,
            desk,
            TransferIn(
                occurred_at_ms=at_ms,
                site=first.to_site,
                from_site=first.site,
                lines=_some(arguments, first.lines),
                answers=arguments.event,
            ),
        )
    if isinstance(first, RmaOut) and arguments.command == "rma":
        return _enter(
            arguments,
            desk,
            RmaIn(
                occurred_at_ms=at_ms,
                site=first.site,
                lines=_some(arguments, first.lines),
                vendor=first.vendor,
                case=first.case,
                answers=arguments.event,
            ),
        )
    raise refuse(
        Code.ANSWER_DOES_NOT_FIT,
        f"{arguments.event} is a {first.__struct_config__.tag}",
        where="answers",
        hint="transfer in answers a transfer-out, rma in an rma-out",
    )


def _confirm(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    first = _first(desk, arguments.event)
    side = OTHER_SIDE.get(type(first), Role.VENDOR)
    paper = arguments.document
    event = Confirmed(
        occurred_at_ms=happened(arguments, desk),
        confirms=arguments.event,
        role=side,
        party=arguments.party or _other_party(first, desk),
        document=None if paper is None else Document(sha256=paper),
    )
    if arguments.role is None:
        arguments.role = (side if paper is None else Role.AUDITOR).value
    return _enter(arguments, desk, event)


def _store(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    event = Stored(
        occurred_at_ms=happened(arguments, desk),
        site=arguments.site,
        lines=(line_of(arguments),),
        place=arguments.place,
        seal=arguments.seal,
    )
    return _enter(arguments, desk, event)


def _unstore(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    first = _first(desk, arguments.event)
    event = Unstored(
        occurred_at_ms=happened(arguments, desk),
        site=getattr(first, "site", "") or "",
        answers=arguments.event,
        seal_found=arguments.found,
    )
    return _enter(arguments, desk, event)


def _dispose(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    name, party = arguments.witness
    event = _DISPOSALS[arguments.how](
        occurred_at_ms=happened(arguments, desk),
        site=arguments.site,
        lines=(line_of(arguments),),
        witness=Witness(name=name, party=party),
        documents=(Document(sha256=arguments.document),),
    )
    return _enter(arguments, desk, event)


def _lost(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    event = LostOrStolen(
        occurred_at_ms=happened(arguments, desk),
        site=arguments.site,
        lines=(line_of(arguments),),
        how=arguments.how,
        reported_to=arguments.reported_to,
    )
    return _enter(arguments, desk, event)


def _enter(arguments: argparse.Namespace, desk: Desk, event: Event) -> int:
    """Enter an event made of flags, held to the bounds of one from a file."""
    undated = arguments.at is None and not getattr(arguments, "again", True)
    return enter_event(arguments, desk, read_event(encode_canonical(event)), undated=undated)


def _some(arguments: argparse.Namespace, lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Return the line that flags name, or all lines of the first side."""
    named = (arguments.sku, arguments.unit, arguments.pieces, arguments.serials)
    return lines if not any(named) else (line_of(arguments),)


def _other_party(first: Event, desk: Desk) -> str:
    """Return who the other side of an event is: of a move, the operator of its site."""
    if isinstance(first, Moved):
        return _book(desk).site(first.site, first.occurred_at_ms).operator.id
    return other_side(first)


def _first(desk: Desk, key: str) -> Event:
    """Return the event that another one answers.

    Raises:
        BookError: `unknown-event`.
    """
    with desk.reads.snapshot() as snapshot:
        found = snapshot.event(key, scope=None)
    if found is None:
        raise refuse(
            Code.UNKNOWN_EVENT,
            f"the book has no event {key}",
            where="event",
            hint="give the id that was printed when it was entered",
        )
    return msgspec.json.decode(found.record, type=LedgerRecord).event


def _book(desk: Desk) -> Book:
    now = When(as_of_ms=desk.hand.now_ms, known_at_ms=desk.hand.now_ms)
    with desk.reads.snapshot() as snapshot:
        return fold(snapshot.all_records(now))
