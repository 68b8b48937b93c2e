"""Keys that parties sign with: `party propose`, `approve`, `decline`, `revoke` and `list`."""

import argparse
from pathlib import Path
from typing import Any, get_args

import msgspec

from chipledger_book.signing import SigningRole
from chipledger_evidence.keys import Jwk
from chipledger_server.cli.desk import answer, desk_of, group, json_option, table
from chipledger_server.usecases.access import Principal, scope_text
from chipledger_server.usecases.party_keys import (
    WantedKey,
    approve_key,
    decline_key,
    propose_key,
    revoke_key_of_party,
)
from chipledger_server.usecases.people import authenticate
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing.parties import party_key_view
from chipledger_server.usecases.times import instant_ms, time_text
from chipledger_server.wiring import Desk


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommands."""
    party = group(commands, "party", "keys that parties sign events with; they take two people")
    _add_propose(party)
    command = party.add_parser("approve", help="the second person: let a key in")
    command.add_argument("proposal", help="proposal id")
    _end(command, _approve)
    command = party.add_parser("decline", help="end a proposal")
    command.add_argument("proposal", help="proposal id")
    command.add_argument("--reason", required=True, help="stands in the log for ever")
    _end(command, _decline)
    command = party.add_parser("revoke", help="accept nothing more of a key, at once")
    command.add_argument("kid", help="thumbprint of the key")
    command.add_argument("--reason", required=True, help="stands in the log for ever")
    _end(command, _revoke)
    command = party.add_parser("list", help="list keys of parties, the newest first")
    json_option(command)
    command.set_defaults(act=_list)


def _add_propose(party: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command = party.add_parser("propose", help="the first person: say whose key it is")
    command.add_argument("jwk", type=Path, help="public key: chipledger-sign key show KEY --jwk")
    command.add_argument("--party", required=True, help="party id, as in sites and events")
    command.add_argument("--name", help="what people call the party")
    command.add_argument(
        "--role", action="append", choices=get_args(SigningRole), help="as what; repeatable"
    )
    command.add_argument("--site", action="append", help="of which site; repeatable")
    command.add_argument("--everywhere", action="store_true", help="of every site, and of none")
    command.add_argument("--from", dest="begin", metavar="TIME", help="day or RFC 3339; now")
    command.add_argument("--until", metavar="TIME", help="day or RFC 3339; never if left out")
    command.add_argument("--replaces", metavar="KID", help="key of the party that ends with it")
    command.add_argument("--reason", required=True, help="stands in the log for ever")
    _end(command, _propose)


def _end(command: Any, act: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command.add_argument(
        "--token-file", type=Path, required=True, metavar="FILE", help="token of who acts"
    )
    json_option(command)
    command.set_defaults(act=act)


def _propose(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    wanted = WantedKey(
        jwk=_jwk(arguments.jwk),
        party=arguments.party,
        name=arguments.name,
        roles=arguments.role or (),
        sites=arguments.site,
        everywhere=arguments.everywhere,
        valid_from_ms=None if arguments.begin is None else instant_ms(arguments.begin),
        valid_to_ms=None if arguments.until is None else instant_ms(arguments.until),
        replaces=arguments.replaces,
        reason=arguments.reason,
    )
    ttl_s = desk.config.policy.proposal_ttl_s
    made = propose_key(wanted, desk.party_keys, desk.hand, _who(arguments, desk), ttl_s=ttl_s)
    return answer(arguments, party_key_view(made, desk.hand.now_ms, ttl_s=ttl_s), [made.id])


def _approve(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    ttl_s = desk.config.policy.proposal_ttl_s
    done = approve_key(
        arguments.proposal, desk.party_keys, desk.hand, _who(arguments, desk), ttl_s=ttl_s
    )
    line = f"{done.key.kid} speaks for {done.party} as {', '.join(sorted(done.roles))}"
    return answer(arguments, party_key_view(done, desk.hand.now_ms, ttl_s=ttl_s), [line])


def _decline(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    ttl_s = desk.config.policy.proposal_ttl_s
    done = decline_key(
        arguments.proposal,
        desk.party_keys,
        desk.hand,
        _who(arguments, desk),
        ttl_s=ttl_s,
        reason=arguments.reason,
    )
    view = party_key_view(done, desk.hand.now_ms, ttl_s=ttl_s)
    return answer(arguments, view, [f"{done.id} is declined"])


def _revoke(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    who = _who(arguments, desk)
    key = revoke_key_of_party(
        arguments.kid, desk.party_keys, desk.hand, who, reason=arguments.reason
    )
    view = party_key_view(key, desk.hand.now_ms, ttl_s=desk.config.policy.proposal_ttl_s)
    return answer(arguments, view, [f"{arguments.kid} of {key.party} is revoked"])


def _list(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    now_ms, ttl_s = desk.hand.now_ms, desk.config.policy.proposal_ttl_s
    found = desk.party_keys.registered()
    rows = [
        (
            one.id,
            one.party,
            ", ".join(sorted(one.roles)),
            scope_text(one.sites),
            one.key.kid,
            one.state(now_ms, ttl_s=ttl_s),
            time_text(one.valid_from_ms),
            "" if one.valid_to_ms is None else time_text(one.valid_to_ms),
        )
        for one in found
    ]
    head = ("id", "party", "roles", "scope", "key", "state", "from", "until")
    views = [party_key_view(one, now_ms, ttl_s=ttl_s) for one in found]
    return answer(arguments, views, table(head, rows))


def _jwk(path: Path) -> Jwk:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Jwk)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"{path}: {error}",
            hint="the file holds what `chipledger-sign key show KEY --jwk` prints",
        ) from error


def _who(arguments: argparse.Namespace, desk: Desk) -> Principal:
    try:
        token = arguments.token_file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            Code.INVALID_PARAMETER, f"{arguments.token_file}: {error}", hint="one token, one line"
        ) from error
    return authenticate(token, desk.people, now_ms=desk.hand.now_ms)
