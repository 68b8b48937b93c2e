"""`chipledger-sign`: a party signs events of the ledger with its own key, offline.

Exit status: 0 done, or everything that was to be verified holds; 1 an event or a statement was
refused; 2 the command or its files could not be used. No file is ever overwritten, and nothing is
sent anywhere: what is made here is handed in by whoever may.
"""

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from chipledger_audit.ear_check import read_key
from chipledger_audit.gpu_files import FilesError, read_bounded
from chipledger_audit.key_files import create_key, load_key, read_passphrase
from chipledger_audit.sign_check import any_event, check_signed, describe_signed, opened
from chipledger_audit.wiring import now
from chipledger_book.errors import BookError
from chipledger_book.events import event_id
from chipledger_book.signing import Said, SigningRole, sign_event, write_event_file
from chipledger_evidence.codec import encode_canonical
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.ids import Digest
from chipledger_evidence.keys import PublicKey

DONE: Final = 0
REFUSED: Final = 1
UNUSABLE: Final = 2

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.act(arguments)
    except (OSError, FilesError, UnicodeDecodeError) as error:
        print(f"chipledger-sign: {error}", file=sys.stderr)
        return UNUSABLE
    except BookError as error:
        for problem in error.problems:
            print(f"chipledger-sign: {problem.line()}", file=sys.stderr)
        return REFUSED
    except EvidenceError as error:
        print(f"chipledger-sign: {error.code}: {error.detail}", file=sys.stderr)
        return REFUSED
    return status


def _key_new(arguments: argparse.Namespace) -> int:
    passphrase = read_passphrase(arguments.passphrase_file)
    signer = create_key(arguments.out, arguments.alg, passphrase=passphrase)
    return _show_key(arguments, signer.public)


def _key_show(arguments: argparse.Namespace) -> int:
    passphrase = read_passphrase(arguments.passphrase_file)
    return _show_key(arguments, load_key(arguments.key, passphrase=passphrase).public)


def _show_key(arguments: argparse.Namespace, key: PublicKey) -> int:
    jwk = encode_canonical(key.jwk).decode()
    if arguments.json:
        return _json({"kid": key.kid, "alg": key.alg, "jwk": key.jwk})
    if arguments.jwk:
        print(jwk)
        return DONE
    print(f"thumbprint  {key.kid}\nalgorithm   {key.alg}\npublic key  {jwk}")
    return DONE


def _event(arguments: argparse.Namespace) -> int:
    file = opened(read_bounded(arguments.file))
    said = _said(arguments, file.id)
    data = write_event_file(
        file.event, [*(one.text for one in file.statements), _signed(arguments, said)]
    )
    opened(data)  # a party that speaks twice is refused before anything is written
    _write(arguments.out, data)
    return _told(arguments, said)


def _statement(arguments: argparse.Namespace) -> int:
    said = _said(arguments, _about(arguments.event))
    _write(arguments.out, _signed(arguments, said).encode("ascii"))
    return _told(arguments, said)


def _verify(arguments: argparse.Namespace) -> int:
    keys = [read_key(read_bounded(path)) for path in arguments.key]
    verdict = check_signed(
        read_bounded(arguments.file),
        {key.kid: key for key in keys},
        event=None if arguments.event is None else read_bounded(arguments.event),
    )
    if arguments.json:
        _json(verdict)
    else:
        print("\n".join(describe_signed(verdict)))
    return DONE if verdict.holds else REFUSED


def _about(text: str) -> str:
    """Return the id that was given, or that of the event in the file that was named."""
    try:
        return msgspec.convert(text, Digest)
    except msgspec.ValidationError:
        return event_id(any_event(read_bounded(Path(text))))


def _said(arguments: argparse.Namespace, event: str) -> Said:
    at_ms = arguments.at if arguments.at is not None else _ms(now())
    return Said(event=event, party=arguments.party, role=arguments.role, stated_at_ms=at_ms)


def _signed(arguments: argparse.Namespace, said: Said) -> str:
    passphrase = read_passphrase(arguments.passphrase_file)
    return sign_event(said, load_key(arguments.key, passphrase=passphrase))


def _told(arguments: argparse.Namespace, said: Said) -> int:
    if arguments.json:
        return _json({"file": str(arguments.out), "said": said})
    at = (_EPOCH + timedelta(milliseconds=said.stated_at_ms)).isoformat()
    print(f"event     {said.event}\nsigned    by {said.party} as {said.role}, {at}")
    print(f"hand in   {arguments.out}")
    return DONE


def _write(path: Path, data: bytes) -> None:
    with path.open("xb") as file:
        file.write(data)


def _json(value: object) -> int:
    sys.stdout.write(msgspec.json.encode(value, order="sorted").decode() + "\n")
    return DONE


def _ms(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _time(text: str) -> int:
    """Return an RFC 3339 time with its zone in Unix milliseconds."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no time") from error
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no zone: end it with Z")
    return _ms(at)


def _party(text: str) -> str:
    try:
        return msgspec.convert({**_ANY, "party": text}, Said).party
    except msgspec.ValidationError as error:
        raise argparse.ArgumentTypeError(
            f"{text!r} is no party id: lower-case letters, digits and hyphens"
        ) from error


_ANY: Final[dict[str, Any]] = {"event": "A" * 43, "role": "operator", "stated_at_ms": 0}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chipledger-sign", description="Sign events of the ledger with a party's own key."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_keys(commands.add_parser("key", help="make and show keys"))
    event = commands.add_parser("event", help="write an event together with your signature")
    event.add_argument("file", type=Path, help="an event in JSON, or one that others have signed")
    _signing(event, _event)
    statement = commands.add_parser("statement", help="sign an event that the ledger holds")
    statement.add_argument("event", metavar="EVENT", help="its id, or a file with it")
    _signing(statement, _statement)
    verify = commands.add_parser("verify", help="check a signed event, or a statement")
    verify.add_argument("file", type=Path)
    verify.add_argument(
        "--key", required=True, action="append", type=Path, metavar="JWK", help="repeatable"
    )
    verify.add_argument("--event", type=Path, help="the event that a statement must be about")
    verify.add_argument("--json", action="store_true", help="answer in JSON")
    verify.set_defaults(act=_verify)
    return parser


def _add_keys(key: argparse.ArgumentParser) -> None:
    actions = key.add_subparsers(required=True, metavar="ACTION")
    new = actions.add_parser("new", help="make a key in a new file, readable by you alone")
    new.add_argument("--out", required=True, type=Path, metavar="FILE", help="a new file")
    new.add_argument("--alg", choices=("ed25519", "es256"), default="ed25519")
    new.set_defaults(act=_key_new)
    show = actions.add_parser("show", help="show thumbprint and public key")
    show.add_argument("key", type=Path, metavar="KEY")
    show.set_defaults(act=_key_show)
    for command in (new, show):
        command.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line")
        command.add_argument("--jwk", action="store_true", help="print the public key alone")
        command.add_argument("--json", action="store_true", help="answer in JSON")


def _signing(command: argparse.ArgumentParser, act: Any) -> None:  # noqa: ANN401 - a command
    command.add_argument("--role", required=True, choices=get_args(SigningRole), help="as what")
    command.add_argument("--party", required=True, type=_party, help="who you are, by party id")
    command.add_argument("--key", required=True, type=Path, metavar="KEY", help="your private key")
    command.add_argument("--passphrase-file", type=Path, metavar="FILE", help="its first line")
    command.add_argument("--at", type=_time, metavar="TIME", help="when you say it; now")
    command.add_argument("--out", required=True, type=Path, metavar="FILE", help="a new file")
    command.add_argument("--json", action="store_true", help="answer in JSON")
    command.set_defaults(act=act)


if __name__ == "__main__":
    sys.exit(main())
