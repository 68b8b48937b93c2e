"""What takes two people, of a host: `host propose`, `approve`, `decline`, `proposals`."""

import argparse
from pathlib import Path
from typing import Any

from chipledger_server.cli.desk import answer, desk_of, group, json_option, table
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.people import authenticate
from chipledger_server.usecases.proposals import (
    Proposal,
    Wanted,
    Wish,
    approve,
    decline,
    propose,
)
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.times import time_text
from chipledger_server.wiring import Desk


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommands."""
    host = group(commands, "host", "what takes two people: retire, replace or move a host")
    command = host.add_parser("propose", help="the first person: say what should become of a host")
    command.add_argument("host", help="host id")
    command.add_argument("wish", choices=[wish.value for wish in Wish], help="what should become")
    command.add_argument("--to", metavar="SITE", help="where a host moves to")
    command.add_argument("--reason", required=True, help="stands in the log for ever")
    _end(command, _propose)
    command = host.add_parser("approve", help="the second person: let it become so")
    command.add_argument("proposal", help="proposal id")
    _end(command, _approve)
    command = host.add_parser("decline", help="end a proposal")
    command.add_argument("proposal", help="proposal id")
    command.add_argument("--reason", required=True, help="stands in the log for ever")
    _end(command, _decline)
    command = host.add_parser("proposals", help="list proposals, the newest first")
    json_option(command)
    command.set_defaults(act=_list)


def _end(command: Any, act: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command.add_argument(
        "--token-file", type=Path, required=True, metavar="FILE", help="token of who acts"
    )
    json_option(command)
    command.set_defaults(act=act)


def _propose(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    wanted = Wanted(
        wish=Wish(arguments.wish),
        host=arguments.host,
        reason=arguments.reason,
        site=arguments.to,
    )
    who, ttl_s = _who(arguments, desk), desk.config.policy.proposal_ttl_s
    made = propose(wanted, desk.proposals, desk.hand, who, ttl_s=ttl_s)
    return answer(arguments, _plain(made, desk), [made.id])


def _approve(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    who, ttl_s = _who(arguments, desk), desk.config.policy.proposal_ttl_s
    done = approve(arguments.proposal, desk.proposals, desk.hand, who, ttl_s=ttl_s)
    lines = [f"{done.proposal.wish} {done.proposal.host}: done"]
    if done.code is not None:
        lines = [done.code]
    return answer(arguments, {**_plain(done.proposal, desk), "code": done.code}, lines)


def _decline(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    done = decline(
        arguments.proposal,
        desk.proposals,
        desk.hand,
        _who(arguments, desk),
        ttl_s=desk.config.policy.proposal_ttl_s,
        reason=arguments.reason,
    )
    return answer(arguments, _plain(done, desk), [f"{done.id} is declined"])


def _list(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    found = desk.proposals.proposals()
    rows = [
        (
            one.id,
            str(one.wish),
            one.host,
            one.site or "",
            one.proposed_by,
            _state(one, desk),
            one.reason,
        )
        for one in found
    ]
    head = ("id", "wish", "host", "to", "proposed by", "state", "reason")
    return answer(arguments, [_plain(one, desk) for one in found], table(head, rows))


def _who(arguments: argparse.Namespace, desk: Desk) -> Principal:
    return principal_of(arguments, desk)


def principal_of(arguments: argparse.Namespace, desk: Desk) -> Principal:
    """Return the principal whose token stands in the file that a command names.

    Raises:
        Refusal: `unauthenticated` or `invalid-parameter`.
    """
    try:
        token = arguments.token_file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            Code.INVALID_PARAMETER, f"{arguments.token_file}: {error}", hint="one token, one line"
        ) from error
    return authenticate(token, desk.people, now_ms=desk.hand.now_ms)


def _expired(one: Proposal, desk: Desk) -> bool:
    return one.expired(desk.hand.now_ms, ttl_s=desk.config.policy.proposal_ttl_s)


def _state(one: Proposal, desk: Desk) -> str:
    if one.decided_ms is None:
        return "expired" if _expired(one, desk) else "waits"
    how = "approved" if one.approved else "declined"
    return f"{how} by {one.decided_by} {time_text(one.decided_ms)}"


def _plain(one: Proposal, desk: Desk) -> dict[str, Any]:
    return {
        "id": one.id,
        "wish": one.wish,
        "host": one.host,
        "to": one.site,
        "reason": one.reason,
        "proposed_ms": one.proposed_ms,
        "proposed_by": one.proposed_by,
        "decided_ms": one.decided_ms,
        "decided_by": one.decided_by,
        "approved": one.approved,
        "expired": _expired(one, desk),
    }
