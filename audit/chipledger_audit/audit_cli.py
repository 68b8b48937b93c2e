"""`chipledger-audit`: plan, draw and count a sample, offline, on files.

Exit status: 0 done, and of a count that every drawn chip counts; 1 an input was refused, or a count
that is not complete or has defects; 2 the command or its files could not be used. No file is ever
overwritten.
"""

import argparse
import hashlib
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

import msgspec

from chipledger_audit.gpu_files import FilesError
from chipledger_audit.population_files import population_of
from chipledger_audit.sample_words import describe_count, describe_plan, describe_sample
from chipledger_audit.wiring import entropy
from chipledger_book.counts.count_event import event_of
from chipledger_book.counts.count_sheet import read_sheet, sheet_of, write_csv, write_json
from chipledger_book.counts.counting import Answers, CountResult, Verdict, count
from chipledger_book.counts.population import (
    MAX_SAMPLING_BYTES,
    digest_of,
    read_population,
    read_sampling_file,
)
from chipledger_book.counts.sampling import (
    SEED_BYTES,
    Hole,
    Order,
    Plan,
    Sample,
    Split,
    commitment_of,
    draw,
    plan_sample,
)
from chipledger_book.errors import BookError
from chipledger_book.events import encode_event, event_id
from chipledger_book.shipped import catalogue
from chipledger_book.terms import Document, Record
from chipledger_evidence.codec import encode_canonical

DONE: Final = 0
REFUSED: Final = 1
UNUSABLE: Final = 2

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status."""
    arguments = _parser().parse_args(argv)
    try:
        return _COMMANDS[arguments.step](arguments)
    except (OSError, FilesError) as error:
        print(f"chipledger-audit: {error}", file=sys.stderr)
        return UNUSABLE
    except BookError as error:
        for problem in error.problems:
            print(f"chipledger-audit: {problem.line()}", file=sys.stderr)
        return REFUSED


def _seed(arguments: argparse.Namespace) -> int:
    seed = entropy(SEED_BYTES)
    arguments.out.touch(mode=0o600, exist_ok=False)
    arguments.out.write_bytes(seed)
    _show([f"commitment  {commitment_of(seed)}", "keep the seed secret until the draw"])
    return DONE


def _population(arguments: argparse.Namespace) -> int:
    found = population_of(arguments.site, map(_read, arguments.pages))
    _write(arguments.out, found.population)
    left_out = ", ".join(f"{number} {name}" for name, number in sorted(found.left_out.items()))
    chips = f"{len(found.population.units)} present or silent; left out: {left_out or 'none'}"
    _show([f"population  {digest_of(found.population)}", f"chips       {chips}"])
    return DONE


def _plan(arguments: argparse.Namespace) -> int:
    order = Order(
        hole=arguments.hole,
        confidence_ppm=arguments.confidence,
        commitment=arguments.commitment,
        split=arguments.strata,
        scope="each-stratum" if arguments.each_stratum else "population",
    )
    plan = plan_sample(read_population(_read(arguments.population)), order, catalogue())
    _write(arguments.out, plan)
    _show(describe_plan(plan))
    return DONE


def _draw(arguments: argparse.Namespace) -> int:
    plan = read_sampling_file(_read(arguments.plan), Plan)
    sample = draw(plan, read_population(_read(arguments.population)), _read(arguments.seed))
    _write(arguments.out, sample)
    _show(describe_sample(sample))
    return DONE


def _sheet(arguments: argparse.Namespace) -> int:
    sheet = sheet_of(read_sampling_file(_read(arguments.sample), Sample))
    text = write_json(sheet) if arguments.out.suffix == ".json" else write_csv(sheet)
    with arguments.out.open("x", encoding="utf-8", newline="") as file:
        file.write(text)
    _show([f"rows        {len(sheet.rows)}, for sample {sheet.sample}"])
    return DONE


def _import(arguments: argparse.Namespace) -> int:
    answers = arguments.answers
    result = count(
        read_sheet(_read(arguments.sheet)),
        read_sampling_file(_read(arguments.sample), Sample),
        plan=read_sampling_file(_read(arguments.plan), Plan),
        population=read_population(_read(arguments.population)),
        answers=None if answers is None else read_sampling_file(_read(answers), Answers),
    )
    _write(arguments.out, result)
    _show(describe_count(result))
    return DONE if result.verdict is Verdict.COMPLETE else REFUSED


def _event(arguments: argparse.Namespace) -> int:
    text = _read(arguments.count)
    event = event_of(
        read_sampling_file(text, CountResult),
        read_sampling_file(_read(arguments.sample), Sample),
        inspector=arguments.inspector,
        occurred_at_ms=arguments.at,
        documents=[Document(sha256=hashlib.sha256(text).hexdigest(), title="count")],
    )
    with arguments.out.open("xb") as file:
        file.write(encode_event(event))
    _show([f"event       {event_id(event)}"])
    return DONE


_COMMANDS: Final = {
    "seed": _seed,
    "population": _population,
    "plan": _plan,
    "draw": _draw,
    "sheet": _sheet,
    "import": _import,
    "event": _event,
}


def _read(path: Path) -> bytes:
    """Return a file of bounded size."""
    with path.open("rb") as file:
        data = file.read(MAX_SAMPLING_BYTES + 1)
    if len(data) > MAX_SAMPLING_BYTES:
        raise FilesError(f"{path} is larger than {MAX_SAMPLING_BYTES} bytes")
    return data


def _write(path: Path, record: Record) -> None:
    """Write a record for people and programs; its digest is that of the canonical encoding."""
    text = msgspec.json.format(encode_canonical(record), indent=1)
    with path.open("xb") as file:
        file.write(text + b"\n")


def _show(lines: Iterable[str]) -> None:
    print("\n".join(lines))


def _percent(text: str) -> int:
    """Return per cent as millionths; more digits than those are refused, not rounded."""
    try:
        ppm = Decimal(text.removesuffix("%").strip()) * 10_000
        if ppm != int(ppm):
            raise argparse.ArgumentTypeError(f"{text} has more than four digits after the point")
    except (InvalidOperation, ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(f"{text} is no percentage") from error
    return int(ppm)


def _hole(text: str) -> Hole:
    """Return a hole: `50`, `1%` or `tpp:100000`."""
    try:
        if text.endswith("%"):
            return msgspec.convert({"by": "share", "amount": _percent(text)}, Hole)
        by, _, amount = text.rpartition(":")
        return msgspec.convert({"by": by or "chips", "amount": int(amount)}, Hole)
    except (ValueError, msgspec.ValidationError) as error:
        raise argparse.ArgumentTypeError(f"{text} is no hole: 50, 1% or tpp:100000") from error


def _strata(text: str) -> tuple[Split, ...]:
    """Return what strata are told apart by: `sku`, `grade`, both with a comma, or `none`."""
    known: dict[str, tuple[Split, ...]] = {
        "none": (),
        "sku": ("sku",),
        "grade": ("grade",),
        "sku,grade": ("sku", "grade"),
    }
    if text not in known:
        raise argparse.ArgumentTypeError(f"{text}: one of {', '.join(known)}")
    return known[text]


def _time(text: str) -> int:
    """Return an RFC 3339 time with its zone in Unix milliseconds."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} is no time") from error
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} has no zone: end it with Z")
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _commitment(text: str) -> str:
    """Return a SHA-256 in hex."""
    if len(text) != 2 * SEED_BYTES or not set(text) <= set("0123456789abcdef"):
        raise argparse.ArgumentTypeError("64 lower-case hex digits, as `sample seed` prints them")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chipledger-audit", description="An auditor's work with files, offline."
    )
    sample = parser.add_subparsers(dest="command", required=True).add_parser(
        "sample", help="plan, draw and count a sample of chips"
    )
    steps = sample.add_subparsers(dest="step", required=True)
    seed = steps.add_parser("seed", help="make a secret seed and print its commitment")
    population = steps.add_parser("population", help="make a population of the API's device pages")
    population.add_argument("pages", metavar="PAGE", type=Path, nargs="+")
    population.add_argument("--site", required=True)
    plan = steps.add_parser("plan", help="say how many to draw, by both formulas")
    _add_plan(plan)
    drawing = steps.add_parser("draw", help="draw what the seed decides")
    _files(drawing, "plan", "population", "seed")
    sheet = steps.add_parser("sheet", help="write the sheet to count with: CSV, or .json")
    _files(sheet, "sample")
    taking = steps.add_parser("import", help="take a filled sheet, whole or not at all")
    taking.add_argument("sheet", metavar="SHEET", type=Path)
    _files(taking, "sample", "plan", "population")
    taking.add_argument("--answers", type=Path, metavar="FILE", help="which chips have answered")
    event = steps.add_parser("event", help="write what counts as an event for the ledger")
    _files(event, "count", "sample")
    event.add_argument("--inspector", required=True, help="who counted")
    event.add_argument("--at", required=True, type=_time, help="when: 2026-11-23T12:00:00Z")
    for step in (seed, population, plan, drawing, sheet, taking, event):
        step.add_argument("--out", required=True, type=Path, metavar="FILE", help="a new file")
    return parser


def _files(step: argparse.ArgumentParser, *names: str) -> None:
    for name in names:
        step.add_argument(f"--{name}", required=True, type=Path, metavar="FILE")


def _add_plan(plan: argparse.ArgumentParser) -> None:
    _files(plan, "population")
    plan.add_argument(
        "--hole", required=True, type=_hole, help="what must not go unseen: 50, 1%% or tpp:100000"
    )
    plan.add_argument("--confidence", default="95%", type=_percent, metavar="PERCENT")
    plan.add_argument("--strata", default="sku,grade", type=_strata, help="or sku, grade, none")
    plan.add_argument("--each-stratum", action="store_true", help="a hole in each of them")
    plan.add_argument("--commitment", required=True, type=_commitment, metavar="SHA256")


if __name__ == "__main__":
    sys.exit(main())
