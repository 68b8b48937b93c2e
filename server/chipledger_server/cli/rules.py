"""Tables of rules: `rules load`, `list`, `show`, `diff`, `adopt`, `approve`, `decline`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from chipledger_book.ceilings.views import country_limits
from chipledger_book.ledger import fold
from chipledger_book.table_diff import TableDiff, diff
from chipledger_book.table_kinds import read_table
from chipledger_book.tables import Table
from chipledger_server.cli.book import usage
from chipledger_server.cli.desk import answer, desk_of, group, json_option, table
from chipledger_server.cli.hosts import principal_of
from chipledger_server.usecases.rules.proposing import (
    Proposing,
    adopt,
    approve,
    decline,
    load,
    load_shipped,
)
from chipledger_server.usecases.rules.shelf import RuleProposal, Version
from chipledger_server.usecases.rules.views import proposal_view, version_view
from chipledger_server.usecases.rules.words import STATES, VERDICTS, limit_words, proposal_words
from chipledger_server.usecases.times import time_text, when
from chipledger_server.wiring import Desk

Act = Callable[[argparse.Namespace], int]


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommands."""
    rules = group(commands, "rules", "tables of rules: what holds, and changing it in two steps")
    _add_changing(rules)
    command = rules.add_parser("list", help="every version of every table, and what waits")
    json_option(command)
    command.set_defaults(act=_list)
    command = rules.add_parser("show", help="one version of a table, as JSON")
    command.add_argument("table", metavar="ID[@VERSION]", help="the version that holds if left out")
    command.set_defaults(act=_show)
    command = rules.add_parser("diff", help="what differs between two versions")
    for name in ("before", "after"):
        command.add_argument(name, metavar="ID[@VERSION]|FILE")
    json_option(command)
    command.set_defaults(act=_diff)
    command = rules.add_parser("countries", help="limits per country, over all licences entered")
    command.add_argument(
        "--rules", metavar="ID[@VERSION]", help="rule set; the adopted if left out"
    )
    command.add_argument("--as-of", metavar="TIME", help="what was true at; now if left out")
    command.add_argument("--known-at", metavar="TIME", help="what was known at; now if left out")
    json_option(command)
    command.set_defaults(act=_countries)


def _add_changing(rules: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command = rules.add_parser("load", help="the first person: propose the table in a file")
    command.add_argument("file", nargs="?", type=Path, help="JSON, see docs/BOOK.md")
    command.add_argument(
        "--shipped", metavar="ID@VERSION", help="instead of a file: one this software brings"
    )
    _reasoned(command, _load)
    command = rules.add_parser("adopt", help="the first person: propose the default rule set")
    command.add_argument("rules", metavar="ID", help="id of a rule set")
    _reasoned(command, _adopt)
    command = rules.add_parser("approve", help="the second person: let it hold from now on")
    command.add_argument("proposal", help="proposal id")
    _token(command, _approve)
    command = rules.add_parser("decline", help="end a proposal")
    command.add_argument("proposal", help="proposal id")
    _reasoned(command, _decline)


def _reasoned(command: Any, act: Act) -> None:  # noqa: ANN401 - argparse does not name its type
    command.add_argument("--reason", required=True, help="stands in the log for ever")
    _token(command, act)


def _token(command: Any, act: Act) -> None:  # noqa: ANN401 - argparse does not name its type
    command.add_argument(
        "--token-file", type=Path, required=True, metavar="FILE", help="token of who acts"
    )
    json_option(command)
    command.set_defaults(act=act)


def _step(arguments: argparse.Namespace, desk: Desk) -> Proposing:
    return Proposing(
        store=desk.measures.store,
        hand=desk.hand,
        who=principal_of(arguments, desk),
        ttl_s=desk.config.policy.proposal_ttl_s,
    )


def _load(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    if (arguments.file is None) == (arguments.shipped is None):
        raise usage("rules load takes a file, or --shipped ID@VERSION")
    step = _step(arguments, desk)
    if arguments.shipped is not None:
        name, _, version = arguments.shipped.partition("@")
        made = load_shipped(name, version, step, reason=arguments.reason)
    else:
        made = load(_bytes(arguments.file), step, reason=arguments.reason)
    return _said(arguments, made, made.id)


def _adopt(arguments: argparse.Namespace) -> int:
    made = adopt(arguments.rules, _step(arguments, desk_of(arguments)), reason=arguments.reason)
    return _said(arguments, made, made.id)


def _approve(arguments: argparse.Namespace) -> int:
    done = approve(arguments.proposal, _step(arguments, desk_of(arguments)))
    return _said(arguments, done, f"{proposal_words(done)}: holds from now on")


def _decline(arguments: argparse.Namespace) -> int:
    step = _step(arguments, desk_of(arguments))
    done = decline(arguments.proposal, step, reason=arguments.reason)
    return _said(arguments, done, f"{done.id} is declined")


def _said(arguments: argparse.Namespace, one: RuleProposal, line: str) -> int:
    return answer(arguments, proposal_view(one, expired=False), [line])


def _list(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    now, ttl_s = desk.hand.now_ms, desk.config.policy.proposal_ttl_s
    shelf = desk.measures.store.shelf()
    found = shelf.versions(now, ttl_s=ttl_s)
    waiting = [
        one
        for one in shelf.proposals
        if one.decided_ms is None and not one.expired(now, ttl_s=ttl_s)
    ]
    value = {
        "adopted": shelf.adopted(now),
        "items": [version_view(one) for one in found],
        "waiting": [proposal_view(one, expired=False) for one in waiting],
    }
    rows = [_row(one) for one in found]
    lines = [f"adopted: {shelf.adopted(now)}", ""]
    lines += table(("table", "version", "kind", "legal status", "reviewed by", "here"), rows)
    for one in waiting:
        lines.append(
            f"{one.id}: {proposal_words(one)}, proposed by {one.proposed_by}: {one.reason}"
        )
    return answer(arguments, value, lines)


def _row(one: Version) -> tuple[str, ...]:
    head = one.table.head
    state = STATES[one.state]
    if one.state == "approved" and one.proposal is not None:
        state = f"approved by {one.proposal.decided_by} {time_text(one.since_ms or 0)}"
    return (head.id, head.version, head.kind, str(head.status), head.reviewed_by, state)


def _show(arguments: argparse.Namespace) -> int:
    found = _named(arguments.table, desk_of(arguments))
    print(msgspec.json.format(msgspec.json.encode(found), indent=2).decode())
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    found = diff(_table(arguments.before, desk), _table(arguments.after, desk))
    return answer(arguments, found, _diff_lines(found))


def _diff_lines(found: TableDiff) -> list[str]:
    before, after = found.before, found.after
    counts = ", ".join(f"{found.count(what)} {what}" for what in ("added", "removed", "changed"))
    head = f"{before.id} {before.version} → {after.id} {after.version}: {counts}"
    return [head, *(f"  {row.words}" for row in found.rows)]


def _countries(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    times = when(arguments.as_of, arguments.known_at, now_ms=desk.hand.now_ms)
    measure = desk.measures.at(times.known_at_ms, arguments.rules)
    with desk.reads.snapshot() as snapshot:
        book = fold(snapshot.all_records(times))
    found = country_limits(book, measure.tables, as_of_ms=times.as_of_ms)
    rows = [(use.limit, use.of, use.part, VERDICTS[use.verdict], limit_words(use)) for use in found]
    return answer(arguments, found, table(("limit", "country", "span", "verdict", "use"), rows))


def _table(text: str, desk: Desk) -> Table:
    """Return the table in a file, or the one that is named."""
    path = Path(text)
    return read_table(_bytes(path)) if path.is_file() else _named(text, desk)


def _named(text: str, desk: Desk) -> Table:
    name, _, version = text.partition("@")
    shelf = desk.measures.store.shelf()
    if version:
        return shelf.any_version(name, version)
    return shelf.find(name, None, desk.hand.now_ms)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise usage(f"{path}: {error.strerror}") from error
