"""`chipledger-server period` and `report`: closing periods, and the reports made of them."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from chipledger_book.periods.document import Difference
from chipledger_book.reports.making import TITLES, ReportKind
from chipledger_book.reports.writing import FORMATS, written
from chipledger_book.terms import day_of
from chipledger_server.cli.desk import answer, desk_of, group, json_option, table
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.people import Hand, authenticate
from chipledger_server.usecases.periods.closing import Freezing, freeze, sign_off
from chipledger_server.usecases.periods.reporting import ReportAsked, report_of
from chipledger_server.usecases.periods.showing import (
    DueView,
    PeriodDetail,
    PeriodsPage,
    PeriodView,
    due_of,
    one_period,
    parse_period,
    periods_of,
    shelf_of,
)
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.times import time_text, when
from chipledger_server.usecases.words import number
from chipledger_server.wiring import Desk

_WHO = "token of who acts; the administrator of this machine if left out"


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommands."""
    period = group(commands, "period", "close periods of a site: freeze, sign off, restate")
    command = period.add_parser("list", help="the periods of a site, and what is due when")
    _end(command, _list)
    command = period.add_parser("freeze", help="freeze a period, or freeze it again")
    command.add_argument("period", help="first and last day: 2026-01-01..2026-06-30")
    command.add_argument("--gap", default="", metavar="WHY", help="why days before it are left out")
    command.add_argument("--token-file", type=Path, metavar="FILE", help=_WHO)
    _end(command, _freeze)
    command = period.add_parser("sign-off", help="sign the newest document, as what you are")
    command.add_argument("period", help="first and last day: 2026-01-01..2026-06-30")
    command.add_argument("--digest", required=True, help="digest of the document that you read")
    command.add_argument(
        "--token-file", type=Path, required=True, metavar="FILE", help="token of who signs"
    )
    _end(command, _sign_off)
    command = period.add_parser("show", help="one period: where it stands, or its document")
    command.add_argument("period", help="first and last day: 2026-01-01..2026-06-30")
    command.add_argument("--document", action="store_true", help="write the canonical document")
    command.add_argument("--version", type=int, help="which version of it; the newest if left out")
    _end(command, _show)
    command = period.add_parser("restate", help="restate a closed period for what came late")
    command.add_argument("period", help="first and last day: 2026-01-01..2026-06-30")
    command.add_argument("--reason", required=True, help="stands in the document for ever")
    command.add_argument("--token-file", type=Path, metavar="FILE", help=_WHO)
    _end(command, _restate)
    _add_report(commands)


def _add_report(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command = commands.add_parser("report", help="a report of a site and a period")
    command.add_argument("kind", choices=[kind.value for kind in ReportKind], help="which report")
    command.add_argument("--site", required=True, help="which site")
    command.add_argument("--period", required=True, help="first and last day: FIRST..LAST")
    command.add_argument("--version", type=int, help="version of the document; newest if left out")
    command.add_argument("--known-at", metavar="TIME", help="what was known at; now if left out")
    command.add_argument("--format", choices=FORMATS, default="csv", help="csv if left out")
    command.add_argument("--out", type=Path, metavar="FILE", help="standard output if left out")
    command.set_defaults(act=_report)


def _end(command: Any, act: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command.add_argument("--site", required=True, help="which site")
    json_option(command)
    command.set_defaults(act=act)


def _list(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    now_ms = desk.hand.now_ms
    with desk.reads.snapshot() as snapshot:
        shelf = shelf_of(_look(desk, snapshot), arguments.site, desk.periods)
        page = periods_of(shelf, arguments.site, now_ms=now_ms)
        due = due_of(shelf, arguments.site, on_day=day_of(now_ms), as_of_ms=now_ms)
    return answer(arguments, {"periods": page, "due": due}, _page_lines(page, due))


def _page_lines(page: PeriodsPage, due: Iterable[DueView]) -> Iterator[str]:
    head = ("period", "stage", "version", "restatement", "waits for", "late events")
    rows = [
        (
            one.name,
            one.stage,
            number(one.documents[0].version),
            number(one.documents[0].restatement),
            one.waits_for or "nobody",
            number(len(one.late)),
        )
        for one in page.items
    ]
    yield from table(head, rows) if rows else ("No period was frozen.",)
    if page.next_first_day is not None:
        yield f"Next: {page.next_first_day}..{page.next_last_day}"
    yield ""
    yield from table(
        ("due", "state", "report", "covers", "who", "brought by"),
        [
            (
                str(one.due_on),
                one.state,
                one.report,
                f"{one.first_day}..{one.last_day}",
                f"{one.who} to {one.to}",
                one.basis or "no authorisation entered here",
            )
            for one in due
        ],
    )


def _freeze(arguments: argparse.Namespace) -> int:
    return _frozen(arguments, gap=arguments.gap, reason=None)


def _restate(arguments: argparse.Namespace) -> int:
    return _frozen(arguments, gap="", reason=arguments.reason)


def _frozen(arguments: argparse.Namespace, *, gap: str, reason: str | None) -> int:
    desk = desk_of(arguments)
    first, last = parse_period(arguments.period)
    ask = Freezing(
        site=arguments.site, first_day=first, last_day=last, gap_reason=gap, reason=reason
    )
    who = None if arguments.token_file is None else _who(arguments, desk)
    freeze(ask, desk.periods, _hand(desk, who), who)
    return _shown(arguments, desk)


def _sign_off(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    who = _who(arguments, desk)
    parse_period(arguments.period)
    sign_off(arguments.site, arguments.digest, desk.periods, _hand(desk, who), who=who)
    return _shown(arguments, desk)


def _show(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    if not arguments.document and arguments.version is None:
        return _shown(arguments, desk)
    detail = _detail(arguments, desk)
    wanted = arguments.version or detail.period.documents[0].version
    found = [one for one in detail.period.documents if one.version == wanted]
    data = desk.periods.store.document(found[0].digest) if found else None
    if data is None:
        raise Refusal(Code.UNKNOWN_PERIOD, f"{arguments.period} has no version {wanted}")
    sys.stdout.write(data.decode())
    return 0


def _shown(arguments: argparse.Namespace, desk: Desk) -> int:
    detail = _detail(arguments, desk)
    return answer(arguments, detail, _detail_lines(detail))


def _detail(arguments: argparse.Namespace, desk: Desk) -> PeriodDetail:
    with desk.reads.snapshot() as snapshot:
        shelf = shelf_of(_look(desk, snapshot), arguments.site, desk.periods)
        return one_period(shelf, arguments.period)


def _detail_lines(detail: PeriodDetail) -> Iterator[str]:
    period = detail.period
    yield f"{period.site} {period.name}: {period.stage.upper()}"
    yield f"  physical: {detail.physical}; authorisation: {detail.authorisation}"
    units = ", ".join(f"{number(count)} {state}" for state, count in sorted(detail.units.items()))
    yield f"  units: {units or 'none'}; findings listed: {number(detail.findings)}"
    yield f"  log: {number(detail.log_size)} entries, root {detail.log_root}"
    yield from (f"  blocks: {sentence}" for sentence in period.blocks)
    yield from (f"  late: {one.type} {one.event}: {one.words}" for one in period.late)
    yield from (f"  opens differently: {_difference(one)}" for one in detail.opening_differs)
    if detail.reason:
        yield f"  restated because: {detail.reason}"
    yield from (f"  changed: {sentence}" for sentence in detail.words)
    yield from _versions(period)


def _difference(one: Difference) -> str:
    return f"{one.what} {one.column}: closed with {one.before}, opens with {one.after}"


def _versions(period: PeriodView) -> Iterator[str]:
    for one in period.documents:
        restated = f", restatement {one.restatement}" if one.restatement else ""
        yield f"  version {one.version}{restated}: {one.stage}, {one.digest}"
        yield f"    frozen {time_text(one.known_at_ms)} by {one.frozen_by}"
        for signed in one.signatures:
            yield (
                f"    {signed.role}: {signed.principal}, {time_text(signed.at_ms)}, by "
                f"{signed.strength} ({signed.event})"
            )


def _report(arguments: argparse.Namespace) -> int:
    desk = desk_of(arguments)
    first, last = parse_period(arguments.period)
    times = when(None, arguments.known_at, now_ms=desk.hand.now_ms)
    ask = ReportAsked(
        kind=ReportKind(arguments.kind),
        site=arguments.site,
        first_day=first,
        last_day=last,
        known_at_ms=times.known_at_ms,
        version=arguments.version,
    )
    with desk.reads.snapshot() as snapshot:
        data = written(report_of(ask, desk.periods, snapshot, None), arguments.format)
    if arguments.out is None:
        sys.stdout.write(data.decode())
    else:
        arguments.out.write_bytes(data)
        title = TITLES[ask.kind].title
        print(f"{title} of {ask.site}: {arguments.out}", file=sys.stderr)
    return 0


def _look(desk: Desk, snapshot: Any) -> Look:  # noqa: ANN401 - what the desk's reads give
    now_ms = desk.hand.now_ms
    times = When(as_of_ms=now_ms, known_at_ms=now_ms)
    return Look(snapshot=snapshot, scope=None, when=times, measure=desk.measure)


def _hand(desk: Desk, who: Principal | None) -> Hand:
    if who is None:
        return desk.hand
    return Hand(principal=who.name, now_ms=desk.hand.now_ms, entropy=desk.hand.entropy)


def _who(arguments: argparse.Namespace, desk: Desk) -> Principal:
    try:
        token = arguments.token_file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Refusal(
            Code.INVALID_PARAMETER, f"{arguments.token_file}: {error}", hint="one token, one line"
        ) from error
    return authenticate(token, desk.people, now_ms=desk.hand.now_ms)
