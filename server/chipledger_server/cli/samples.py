"""`chipledger-server sample`: plan, announce, draw, sheet, count, conclude and show."""

import argparse
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from chipledger_book.counts.count_sheet import sheet_of, write_csv, write_json
from chipledger_book.counts.words import percent
from chipledger_server.cli.book import usage
from chipledger_server.cli.desk import answer, desk_of, group, json_option, table
from chipledger_server.cli.hosts import principal_of
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.people import Hand
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.sampling.concluding import conclude, demand_drawn, take_sheet
from chipledger_server.usecases.sampling.drawing import Revealed, draw_sample, seed_in
from chipledger_server.usecases.sampling.planning import (
    Committed,
    announce,
    commit_plan,
    demand_auditor,
    try_plan,
)
from chipledger_server.usecases.sampling.showing import (
    count_view,
    known_course,
    plan_view,
    sample_of,
    samples_of,
)
from chipledger_server.usecases.sampling.typed import STRATA, asked_in
from chipledger_server.usecases.sampling.views import CountView, PlanView, SampleDetail, UnitView
from chipledger_server.usecases.showing import Look
from chipledger_server.usecases.times import time_text
from chipledger_server.usecases.words import number
from chipledger_server.wiring import Desk

Act = Callable[[argparse.Namespace], int]
_PLAN = "digest of the plan; behind -- where it begins with -"


def add(commands: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    """Register the subcommands."""
    sample = group(commands, "sample", "plan, draw and count samples of a site's chips")
    _add_plan(sample)
    command = sample.add_parser("announce", help="let the operator know that a count is coming")
    _of_one(command, _announce)
    command = sample.add_parser("draw", help="show the seed: it draws, once")
    command.add_argument("--seed", type=Path, required=True, metavar="FILE", help="32 bytes or hex")
    command.add_argument(
        "--population-changed", metavar="WHY", help="draw although chips came or went since"
    )
    _of_one(command, _draw)
    command = sample.add_parser("sheet", help="write the sheet to count with: CSV, or .json")
    command.add_argument("--out", type=Path, required=True, metavar="FILE", help="a new file")
    _of_one(command, _sheet)
    command = sample.add_parser("count", help="take a filled sheet, whole or not at all")
    command.add_argument("--dry-run", action="store_true", help="say what it comes to, no more")
    _of_one(command, _count)
    command.add_argument("sheet", type=Path, metavar="SHEET", help="CSV or JSON")
    command = sample.add_parser("conclude", help="state the result, as an event of the ledger")
    command.add_argument("--inspector", required=True, metavar="NAME", help="who counted")
    _of_one(command, _conclude)
    command = sample.add_parser("show", help="the samples of a site, or one of them")
    command.add_argument("sample", nargs="?", metavar="PLAN", help=_PLAN)
    _end(command, _show)


def _add_plan(sample: Any) -> None:  # noqa: ANN401 - argparse does not name its type
    command = sample.add_parser("plan", help="freeze the population, commit to plan and seed")
    command.add_argument(
        "--hole", required=True, help="what must not go unseen: 50, 1%% or tpp:100000"
    )
    command.add_argument("--confidence", default="95%", help="95%% if left out")
    command.add_argument("--strata", choices=list(STRATA), default="sku,grade")
    command.add_argument(
        "--each-stratum", dest="scope", action="store_const", const="each-stratum", default=""
    )
    command.add_argument("--within", default="24h", help="time to answer after the draw")
    command.add_argument("--commitment", default="", metavar="SHA256", help="of your own seed")
    command.add_argument(
        "--seed-out", type=Path, metavar="FILE", help="let a seed be made, and keep it here"
    )
    command.add_argument("--dry-run", action="store_true", help="say the figures; write nothing")
    _end(command, _plan)


def _of_one(command: Any, act: Act) -> None:  # noqa: ANN401 - argparse does not name its type
    command.add_argument("sample", metavar="PLAN", help=_PLAN)
    _end(command, act)


def _end(command: Any, act: Act) -> None:  # noqa: ANN401 - argparse does not name its type
    command.add_argument("--site", required=True, help="which site")
    command.add_argument(
        "--token-file", type=Path, required=True, metavar="FILE", help="token of who acts"
    )
    json_option(command)
    command.set_defaults(act=act)


def _opened(arguments: argparse.Namespace) -> tuple[Desk, Principal, Hand]:
    desk = desk_of(arguments)
    who = principal_of(arguments, desk)
    now_ms, entropy = desk.hand.now_ms, desk.hand.entropy
    return desk, who, Hand(principal=who.name, now_ms=now_ms, entropy=entropy)


def _plan(arguments: argparse.Namespace) -> int:
    desk, who, hand = _opened(arguments)
    demand_auditor(who, arguments.site)
    names = ("hole", "confidence", "strata", "scope", "within", "commitment")
    said = {name: getattr(arguments, name) for name in names}
    ask = asked_in(arguments.site, said, _now(hand))
    if arguments.dry_run:
        tried = try_plan(ask, desk.samples)
        shown = plan_view(tried.plan, "", chips=len(tried.population.units))
        return answer(arguments, {"committed": False, "plan": shown}, _plan_lines(shown))
    if (not arguments.commitment) == (arguments.seed_out is None):
        raise usage("sample plan takes --commitment SHA256, or --seed-out FILE")
    made = _committed(arguments, lambda: commit_plan(ask, desk.samples, hand, who))
    planned = made.planned
    shown = plan_view(planned.plan, planned.id, chips=planned.chips)
    return answer(arguments, {"committed": True, "plan": shown}, _plan_lines(shown))


def _committed(arguments: argparse.Namespace, commit: Callable[[], Committed]) -> Committed:
    """Commit, with the file of the seed open before anything stands in the log."""
    if arguments.seed_out is None:
        return commit()
    try:
        handle = os.open(arguments.seed_out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise usage(f"{arguments.seed_out}: {error.strerror}") from error
    with os.fdopen(handle, "wb") as file:
        try:
            made = commit()
        except BaseException:
            arguments.seed_out.unlink()
            raise
        file.write(made.seed or b"")
    return made


def _plan_lines(plan: PlanView) -> Iterator[str]:
    if plan.digest:
        yield f"plan        {plan.digest}"
        yield f"commitment  {plan.commitment}"
    yield f"population  {plan.population}, {number(plan.chips)} chips"
    head = ("stratum", "chips", "hole", "drawn", "exact", "short", "found with")
    strata = list(plan.strata)
    names = [" ".join(filter(None, (one.sku, one.grade))) or "every chip" for one in strata]
    if plan.whole is not None and len(strata) > 1:
        strata.append(plan.whole)
        names.append("all")
    yield from table(
        head,
        [
            (
                name,
                *map(number, (one.chips, one.hole_chips, one.sample, one.exact, one.short)),
                percent(one.achieved_ppm),
            )
            for name, one in zip(names, strata, strict=True)
        ],
    )
    yield from plan.words


def _announce(arguments: argparse.Namespace) -> int:
    desk, who, hand = _opened(arguments)
    announce(arguments.site, arguments.sample, desk.samples, hand, who=who)
    return _shown(arguments, desk, who, hand)


def _draw(arguments: argparse.Namespace) -> int:
    desk, who, hand = _opened(arguments)
    ask = Revealed(
        site=arguments.site,
        sample=arguments.sample,
        seed=_seed(arguments.seed),
        changed=arguments.population_changed,
    )
    draw_sample(ask, desk.samples, hand, who)
    return _shown(arguments, desk, who, hand)


def _seed(path: Path) -> bytes:
    """Return the seed in a file: its 32 bytes, or their hex."""
    data = _bytes(path)
    try:
        return data if len(data) <= 32 else seed_in(data.decode("ascii"))  # noqa: PLR2004 - bytes
    except UnicodeDecodeError:
        return data


def _sheet(arguments: argparse.Namespace) -> int:
    desk, who, _ = _opened(arguments)
    demand_auditor(who, arguments.site)
    _, sample, _ = demand_drawn(arguments.site, arguments.sample, desk.samples)
    sheet = sheet_of(sample)
    text = write_json(sheet) if arguments.out.suffix == ".json" else write_csv(sheet)
    with arguments.out.open("x", encoding="utf-8", newline="") as file:
        file.write(text)
    lines = [f"{len(sheet.rows)} rows: {arguments.out}"]
    return answer(arguments, {"rows": len(sheet.rows), "sample": sheet.sample}, lines)


def _count(arguments: argparse.Namespace) -> int:
    desk, who, hand = _opened(arguments)
    found = take_sheet(
        arguments.site,
        arguments.sample,
        _bytes(arguments.sheet),
        desk.samples,
        hand=hand,
        who=who,
        dry_run=arguments.dry_run,
    )
    course = known_course(arguments.site, arguments.sample, desk.samples, who)
    with desk.reads.snapshot() as snapshot:
        look = _look(desk, snapshot, who, hand)
        shown = count_view(found, course.planned.plan, look)
    return answer(arguments, shown, _count_lines(shown))


def _conclude(arguments: argparse.Namespace) -> int:
    desk, who, hand = _opened(arguments)
    entered = conclude(
        arguments.site,
        arguments.sample,
        desk.samples,
        hand,
        who=who,
        inspector=arguments.inspector,
    )
    said = {"id": entered.id, "known_before": entered.known_before}
    return answer(arguments, said, [entered.id])


def _show(arguments: argparse.Namespace) -> int:
    desk, who, hand = _opened(arguments)
    if arguments.sample is not None:
        return _shown(arguments, desk, who, hand)
    page = samples_of(arguments.site, desk.samples, who)
    head = ("plan", "stage", "planned", "by", "drawn", "of", "found with")
    rows = [
        (
            one.id,
            one.stage,
            time_text(one.planned_ms),
            one.principal,
            number(one.plan.sample) if one.plan else "",
            number(one.plan.chips) if one.plan else "",
            percent(one.plan.achieved_ppm) if one.plan else "",
        )
        for one in page.items
    ]
    return answer(arguments, page, table(head, rows) if rows else ["No sample is known."])


def _shown(arguments: argparse.Namespace, desk: Desk, who: Principal, hand: Hand) -> int:
    with desk.reads.snapshot() as snapshot:
        look = _look(desk, snapshot, who, hand)
        found = sample_of(arguments.site, arguments.sample, desk.samples, look, who=who)
    return answer(arguments, found, _detail_lines(found))


def _detail_lines(found: SampleDetail) -> Iterator[str]:
    one = found.sample
    yield f"{one.site} {one.id}: {one.stage.upper()}"
    if one.plan is None:
        yield "  announced: a count is coming"
        return
    yield from _plan_lines(one.plan)
    if found.seed is not None:
        yield f"seed        {found.seed}, made by the {found.seed_by}"
    if one.due_ms is not None:
        yield f"answers     until {time_text(one.due_ms)}"
    if found.population_change:
        yield f"population  changed: {found.population_change}"
    if found.count is not None:
        yield from _count_lines(found.count)
    else:
        yield from map(_unit_line, found.units)
    if found.event is not None:
        yield f"event       {found.event}"


def _count_lines(count: CountView) -> Iterator[str]:
    yield f"count       {count.verdict}: {count.counted} of {count.drawn} drawn chips count"
    yield from count.words
    for name, units in (
        ("found", count.found),
        ("elsewhere", count.elsewhere),
        ("missing", count.missing),
    ):
        yield f"{name}: {len(units)}"
        yield from map(_unit_line, units)
    for name, scans in (("unknown", count.unknown), ("not drawn", count.not_drawn)):
        yield f"{name}: {len(scans)}"
        for scan in scans:
            yield f"  {scan.scanned} at {', '.join(scan.seen_at)}: {scan.known}"


def _unit_line(one: UnitView) -> str:
    where = ", ".join(one.seen_at) or one.place or one.host or "no known place"
    heard = one.challenge
    if one.answer is not None:
        heard += f" by {one.answer.by} ({one.answer.grade}), token {one.answer.token}"
    if one.elsewhere is not None:
        heard += f", heard on {one.elsewhere}"
    outcome = f"{one.outcome}, " if one.outcome else ""
    return f"{one.number:>6}  {one.unit}  {one.planned_grade}  {where}  {outcome}{heard}"


def _look(desk: Desk, snapshot: Any, who: Principal, hand: Hand) -> Look:  # noqa: ANN401 - reads
    return Look(snapshot=snapshot, scope=who.sites, when=_now(hand), measure=desk.measure)


def _now(hand: Hand) -> When:
    return When(as_of_ms=hand.now_ms, known_at_ms=hand.now_ms)


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise usage(f"{path}: {error.strerror}") from error
