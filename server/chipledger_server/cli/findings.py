"""Findings as cases: `findings list`, `show`, `act`, `export`."""

import argparse
import hashlib
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from chipledger_book.cases import FACTS, Action
from chipledger_book.terms import Document
from chipledger_evidence.codec import b64url_encode
from chipledger_server.cli.desk import answer, desk_of, group, json_option, table
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.case_views import FindingView, TrailStep
from chipledger_server.usecases.cases import Wanted, act
from chipledger_server.usecases.people import authenticate
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.showing.findings import finding, worst_first
from chipledger_server.usecases.showing.trails import (
    ATTENTION,
    STATES,
    ExportHead,
    Filters,
    as_csv,
    as_json,
    asked,
    trail,
    whole,
)
from chipledger_server.usecases.times import time_text, until_ms
from chipledger_server.wiring import BUILD, Desk

_MOST: Final = 10_000


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommands."""
    findings = group(commands, "findings", "what somebody should explain, and what was done")
    command = findings.add_parser("list", help="worst and oldest first")
    _filters(command, state=ATTENTION)
    json_option(command)
    command.set_defaults(act=_list)
    command = findings.add_parser("show", help="one finding, with everything that happened to it")
    command.add_argument("finding", help="finding id")
    json_option(command)
    command.set_defaults(act=_show)
    command = findings.add_parser("export", help="every finding with every step, settled ones too")
    command.add_argument("--form", choices=("csv", "json"), default="csv")
    _filters(command, state="all")
    command.set_defaults(act=_export)
    _add_act(findings)


def _add_act(findings: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    steps = [action.value for action in Action if action not in FACTS]
    command = findings.add_parser("act", help="take a step, as the principal of a token")
    command.add_argument("finding", help="finding id")
    command.add_argument("step", choices=steps, help="what to do")
    command.add_argument("--reason", help="why: it stands in the log for ever")
    command.add_argument(
        "--evidence", type=Path, action="append", default=[], metavar="FILE", help="its digest"
    )
    command.add_argument(
        "--digest", action="append", default=[], metavar="SHA256", help="of a paper kept elsewhere"
    )
    command.add_argument("--owner", metavar="NAME", help="who is to be answerable")
    command.add_argument("--expires", metavar="WHEN", help="a day, a time, or a span: 90d")
    command.add_argument("--request", metavar="NAME", help="sending the same again does nothing")
    command.add_argument(
        "--token-file", type=Path, required=True, metavar="FILE", help="token of who acts"
    )
    json_option(command)
    command.set_defaults(act=_act)


def _filters(command: Any, *, state: str) -> None:  # noqa: ANN401 - argparse's own type
    command.add_argument("--state", choices=STATES, default=state, help=f"{state} if left out")
    command.add_argument("--severity", default="", help="low, medium, high or critical")
    command.add_argument("--type", default="", dest="kind", help="for example silent-host")
    command.add_argument("--site", default="", help="of this site")
    command.add_argument("--host", default="", help="of this host")
    command.add_argument("--owner", default="", help="those this principal answers for")
    command.add_argument("--older", default="", metavar="SPAN", help="opened longer ago: 7d")
    command.add_argument("--late", action="store_true", help="those for which somebody is late")


def _list(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    with desk.reads.snapshot() as snapshot:
        look = _look(desk, snapshot)
        found = worst_first(look, asked(look, _asked(arguments)), limit=_MOST)
    head = ("id", "severity", "type", "site", "state", "owner", "since", "due")
    rows = [
        (
            *(one.id, one.severity, one.type, one.site or "-", one.state, one.owner or "-"),
            *(time_text(one.opened_ms), _due(one)),
        )
        for one in found
    ]
    return answer(arguments, found, table(head, rows) if rows else ["No finding is like this."])


def _show(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    with desk.reads.snapshot() as snapshot:
        look = _look(desk, snapshot)
        one = finding(look, arguments.finding)
        steps = trail(look, one.id)
    lines = [
        f"{one.type}: {one.severity}, {one.state}",
        one.words,
        f"effect on the balance: {one.effect}",
        *(
            f"{duty.kind}: {duty.owner}, until {time_text(duty.due_ms)}"
            f"{', done' if duty.done_ms else ''}{', late' if duty.late else ''}"
            for duty in one.duties
        ),
        "",
        *(_step_line(step) for step in steps),
    ]
    return answer(arguments, {"finding": one, "trail": steps}, lines)


def _act(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    now_ms = desk.hand.now_ms
    wanted = Wanted(
        finding=arguments.finding,
        action=Action(arguments.step),
        reason=arguments.reason,
        evidence=[
            *(_paper(path) for path in arguments.evidence),
            *(_named(digest) for digest in arguments.digest),
        ],
        owner=arguments.owner,
        expires_ms=until_ms(arguments.expires, now_ms=now_ms) if arguments.expires else None,
        request=arguments.request or b64url_encode(desk.hand.entropy(12)),
    )
    ttl_s = desk.config.policy.proposal_ttl_s
    done = act(wanted, desk.cases, desk.hand, _who(arguments, desk), ttl_s=ttl_s)
    case = done.case
    waits = f"; another auditor must confirm to {case.pending.how}" if case.pending else ""
    return answer(arguments, msgspec.to_builtins(case), [f"{case.id} is {case.state}{waits}"])


def _export(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    filters = _asked(arguments)
    with desk.reads.snapshot() as snapshot:
        look = _look(desk, snapshot)
        head = ExportHead(
            population="all findings about every site",
            state=filters.state,
            filters={
                name: str(value)
                for name, value in vars(arguments).items()
                if name in {"severity", "kind", "site", "host", "owner", "older"} and value
            }
            | ({"late": "true"} if filters.late else {}),
            as_of_ms=look.when.as_of_ms,
            known_at_ms=look.when.known_at_ms,
            software=BUILD,
            collector=desk.config.collector.name,
        )
        write = as_csv if arguments.form == "csv" else as_json
        for piece in write(head, whole(look, asked(look, filters))):
            sys.stdout.write(piece.decode())
    return 0


def _look(desk: Desk, snapshot: Any) -> Look:  # noqa: ANN401 - a snapshot
    now = When(as_of_ms=desk.hand.now_ms, known_at_ms=desk.hand.now_ms)
    return Look(snapshot=snapshot, scope=None, when=now, measure=desk.measure)


def _asked(arguments: argparse.Namespace) -> Filters:
    return Filters(
        state=arguments.state,
        severity=arguments.severity,
        kind=arguments.kind,
        site=arguments.site,
        host=arguments.host,
        owner=arguments.owner,
        older=arguments.older,
        late=arguments.late,
    )


def _due(one: FindingView) -> str:
    duty = next((duty for duty in one.duties if duty.done_ms is None), None)
    if duty is None:
        return "-"
    return f"{time_text(duty.due_ms)} {duty.owner}{' late' if duty.late else ''}"


def _step_line(step: TrailStep) -> str:
    said = step.reason or step.words or ""
    papers = "".join(f"\n    {one.sha256} {one.title}" for one in step.evidence)
    how = f"proposed to {step.action}" if step.proposed else step.action
    return f"{time_text(step.at_ms)}  {step.by} ({step.role}) {how}: {said}{papers}"


def _paper(path: Path) -> Document:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Document(sha256=digest, title=path.name)


def _named(digest: str) -> Document:
    try:
        return msgspec.convert({"sha256": digest}, Document)
    except msgspec.ValidationError as error:
        raise Refusal(
            Code.INVALID_PARAMETER,
            f"{digest[:80]!r} is no SHA-256 digest",
            hint="64 digits in lower case, as sha256sum prints them",
        ) from error


def _who(arguments: argparse.Namespace, desk: Desk) -> Principal:
    try:
        token = arguments.token_file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            Code.INVALID_PARAMETER, f"{arguments.token_file}: {error}", hint="one token, one line"
        ) from error
    return authenticate(token, desk.people, now_ms=desk.hand.now_ms)
