"""`chipledger-server reconcile`: book against reports, held against allowed, as text or JSON."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from chipledger_book.rollup import BYS, RollUp, RollUpRow, roll_up
from chipledger_evidence.appraisal.grades import Grade
from chipledger_server.cli.desk import answer, desk_of, json_option, table
from chipledger_server.cli.spread import every_balance
from chipledger_server.usecases.allowances import Allowance, allowances
from chipledger_server.usecases.book.reconcile import (
    SiteBalance,
    balance_of,
    left_out,
)
from chipledger_server.usecases.limits import CANNOT_SEE
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.rules.words import rule_lines
from chipledger_server.usecases.times import time_text, when
from chipledger_server.usecases.words import (
    AUTHORISATION_WORDS,
    PHYSICAL_WORDS,
    authorisation_reason,
    grade_words,
    licensed,
    number,
    physical_reason,
    pieces,
    tpp_use,
)
from chipledger_server.wiring import Desk

_HEAD = (
    *("model", "TPP each", "licensed", "received", "G4", "G3", "G2", "G1", "G0"),
    *("unaccounted", "overage", "disputed", "silent", "verdict"),
)

_MOVED = (
    *("transfer_in", "rma_in", "shipped", "transfer_out", "rma_out", "disposed"),
    *("stored", "overdrawn"),
)

_TOGETHER = (
    *("model", "sites", "book", "G4", "G3", "G2", "G1", "G0", "stored"),
    *("silent", "disputed", "unaccounted", "overage"),
)

_ALLOWED = ("allowance", "model", "limit", "used by all it covers", "left or beyond")


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommand."""
    command = commands.add_parser(
        "reconcile", help="the balance and both verdicts of a site, or of every site"
    )
    command.add_argument("--site", help="one site; all if left out")
    command.add_argument("--as-of", metavar="TIME", help="what was true at; now if left out")
    command.add_argument("--known-at", metavar="TIME", help="what was known at; now if left out")
    command.add_argument(
        "--rules",
        action="append",
        metavar="ID[@VERSION]",
        help="under this rule set; may be given several times; `all`; the adopted if left out",
    )
    command.add_argument(
        "--by", choices=BYS, help="bring all sites together by this; nothing is netted"
    )
    json_option(command)
    command.set_defaults(act=act)


def act(arguments: argparse.Namespace) -> int:
    """Reconcile, and print one table per site; sites that cannot be balanced go to stderr."""
    desk = desk_of(arguments)
    times = when(arguments.as_of, arguments.known_at, now_ms=desk.hand.now_ms)
    balances: list[SiteBalance] = []
    with desk.reads.snapshot() as snapshot:
        for rules in _asked(arguments, desk, times):
            if arguments.site is not None:
                measure = desk.measures.at(times.known_at_ms, rules)
                balances.append(balance_of(snapshot, arguments.site, times, measure))
            else:
                balances += every_balance(desk, times, rules)
        problems = () if arguments.site else left_out(snapshot, times, balances)
        sys.stderr.writelines(f"{problem.line()}\n" for problem in problems)
    if arguments.by is not None:
        found = roll_up([balance.report for balance in balances], arguments.by)
        return answer(arguments, list(found), _together(found, times))
    return answer(arguments, balances, _lines(balances, times))


def _asked(arguments: argparse.Namespace, desk: Desk, times: When) -> list[str | None]:
    """Return the rule sets that are asked for; None is the adopted one."""
    if arguments.rules is None:
        return [None]
    if "all" in arguments.rules:
        return [*desk.measures.store.shelf().rule_sets(times.known_at_ms)]
    return [*arguments.rules]


def _lines(balances: list[SiteBalance], times: When) -> Iterator[str]:
    yield f"as of {time_text(times.as_of_ms)}, known at {time_text(times.known_at_ms)}"
    yield ""
    if not balances:
        yield "No site is declared. Declare one: chipledger-server site add"
        yield ""
    for balance in balances:
        yield from site_lines(balance)
        yield ""
    grades = ", ".join(f"{grade.value} {grade_words(grade).rsplit(' (', 1)[0]}" for grade in Grade)
    yield f"Grades: {grades}. Present is G1 and better; G0 fills no hole."
    yield "What this cannot see:"
    yield from (f"  - {sentence}" for sentence in CANNOT_SEE)


def _together(found: Sequence[RollUp], times: When) -> Iterator[str]:
    yield f"as of {time_text(times.as_of_ms)}, known at {time_text(times.known_at_ms)}"
    for group in found:
        test = ", test sites" if group.test else ""
        yield ""
        yield f"{group.key} ({group.by}{test}): {pieces(len(group.sites), 'site')}"
        for name, verdicts in (
            ("physical", group.physical),
            ("authorisation", group.authorisation),
        ):
            said = ", ".join(f"{number(count)} {verdict}" for verdict, count in verdicts.items())
            yield f"  {name}: {said}"
        yield f"  TPP held: {number(group.held_tpp)}"
        yield from (f"  {line}" for line in table(_TOGETHER, map(_together_row, group.rows)))
        if group.unknown_models:
            yield f"  {pieces(group.unknown_models)} of unknown model"
    yield ""
    yield "Columns are sums over the sites; a hole at one is never filled by an overage at another."


def _together_row(row: RollUpRow) -> tuple[str, ...]:
    return (
        row.sku + ("" if row.controlled else " (not controlled)"),
        *map(number, (row.sites, row.book)),
        *(number(getattr(row.present, grade)) for grade in ("G4", "G3", "G2", "G1")),
        *map(number, (row.declared, row.stored)),
        number(row.silent + row.silent_off_book),
        number(row.disputed + row.disputed_off_book),
        *map(number, (row.unaccounted, row.overage)),
    )


def site_lines(balance: SiteBalance) -> Iterator[str]:
    """Yield the table of one site, in words a person can read aloud."""
    report = balance.report
    place = f"{report.country}, {report.tier or 'no tier'}{', test site' if report.test else ''}"
    yield f"{report.site}: {report.name} ({place}; parent {report.ultimate_parent})"
    yield _verdict("physical", report.physical, PHYSICAL_WORDS, physical_reason(report))
    yield _verdict(
        "authorisation", report.authorisation, AUTHORISATION_WORDS, authorisation_reason(report)
    )
    yield f"  TPP: {tpp_use(report)}"
    yield ""
    if allowed := allowances(report):
        yield from (f"  {line}" for line in table(_ALLOWED, map(_allowed, allowed)))
        yield ""
    yield from (f"  {line}" for line in table(_HEAD, _rows(balance)))
    yield ""
    yield from _beside(balance)
    if report.rules is not None:
        yield from (f"  {line}" for line in rule_lines(report.rules))
    versions = ", ".join(f"{t.id} {t.version} ({t.status})" for t in report.tables)
    policy = balance.appraisal
    yield f"  tables: {versions}; {policy.id} {policy.version}"


def _allowed(one: Allowance) -> tuple[str, ...]:
    return (
        f"{one.name} ({one.about})" if one.about else one.name,
        one.covers,
        "-" if one.limit is None else f"{number(one.limit)} {one.unit}",
        "-" if one.used is None else number(one.used),
        one.room,
    )


def _verdict(label: str, verdict: Any, words: Any, reason: str) -> str:  # noqa: ANN401 - two enums
    because = f" ({reason})" if reason else ""
    return f"  {label}: {verdict.upper()}: {words[verdict]}{because}"


def _rows(balance: SiteBalance) -> Iterator[tuple[str, ...]]:
    for row in balance.report.rows:
        yield (
            row.sku + ("" if row.controlled else " (not controlled)"),
            number(row.tpp_each),
            licensed(row),
            number(row.received),
            *(number(getattr(row.present, grade)) for grade in ("G4", "G3", "G2", "G1")),
            number(row.declared),
            number(row.unaccounted),
            number(row.overage),
            number(row.disputed + row.disputed_off_book),
            number(row.silent + row.silent_off_book),
            str(row.verdict),
        )


def _moved(balance: SiteBalance) -> Iterator[str]:
    """Yield how the book came about where more than receipts made it, and what is one-sided."""
    for row in balance.report.rows:
        columns = {name: getattr(row, name) for name in _MOVED}
        if any(columns.values()):
            said = ", ".join(f"{name} {number(count)}" for name, count in columns.items() if count)
            received = number(row.received)
            yield f"  {row.sku} on the book: {number(row.book)} (received {received}, {said})"
    for one in balance.report.one_sided:
        left = ", ".join(f"{number(chips)} {sku}" for sku, chips in one.left.items())
        yield (
            f"  {one.sides}: {one.type} of {time_text(one.since_ms)} with {one.other}: {left} "
            f"(said by {one.strength or 'nobody'}, other side {one.other_strength or 'silent'}; "
            f"{one.event})"
        )


def _beside(balance: SiteBalance) -> Iterator[str]:
    """Yield what stands beside the table: unknown models, hosts, devices that count nowhere."""
    yield from _moved(balance)
    for model in balance.report.unknown_models:
        seen = model.present.total + model.silent + model.disputed
        named = model.observed.name or model.observed.device or "nothing that names it"
        yield (
            f"  unknown model {named!r}: {pieces(seen)} seen, {number(model.declared)} declared; "
            "TPP not known, never taken as zero"
        )
    uncounted = balance.uncounted
    reasons = (
        (uncounted.unconfirmed, "whose views differ (no better than declared)"),
        (uncounted.unidentified, "on the PCI bus only (present, unidentified)"),
        (uncounted.not_physical, "that are virtual"),
        (uncounted.lost, "that the driver lists but cannot open"),
        (uncounted.moved, "since seen on another host"),
    )
    yield from (
        f"  not counted: {pieces(count, 'device')} {why}" for count, why in reasons if count
    )
    yield (
        f"  hosts: {number(balance.hosts)} enrolled, {number(balance.hosts_silent)} silent, "
        f"{number(balance.hosts_never_seen)} never seen "
        f"(silent after {number(balance.silence_limit_ms // 1000)} s)"
    )
