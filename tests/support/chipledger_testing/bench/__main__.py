"""`make bench`: one table of costs beside the bars they are held against.

Nothing here passes or fails by time: a busy machine is no fault of the code. What is checked is
that everything acknowledged is stored, once.
"""

import argparse
import os
import platform
import sqlite3
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from statistics import median

import msgspec

from chipledger_testing.bench import agent, balances, evidence, rounds
from chipledger_testing.bench.server import (
    FEW,
    HOSTS,
    Bench,
    Measure,
    bench_collector,
    bytes_in_use,
    fsync_p99_ms,
    median_of,
    stored_rows,
)

ROUNDS = 3
FULL, AGAIN, BEAT, BATCH, CHALLENGE = range(5)
COST_BARS = {AGAIN: 4.5, BEAT: 3.0, BATCH: 1.8, CHALLENGE: 1.0}
BEATS_A_YEAR, FULLS_A_YEAR = 8395, 365
YEAR_BAR_MB = 4.0
TLS_BAR_V = 5.0
AGENT_BARS = (60, 20, 200, 1000, 4000)
BOARD_BAR_MS, CHIP_BAR_MS = 80, 10
SIZES = (1, 10, 100)
"""Sites of a thousand chips each; `--million` adds one of a thousand sites."""
MILLION = 1000


def say(text: str) -> None:
    """Print a line now."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def machine() -> dict[str, object]:
    """Return what the numbers depend on."""
    model = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines()
            if line.startswith("model name")
        ),
        "unknown",
    )
    return {
        "cpu": f"{os.cpu_count()} x {model}",
        "kernel": platform.release(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load": [round(load, 1) for load in os.getloadavg()],
        **{name: version(name) for name in ("cryptography", "uvicorn", "uvloop", "msgspec")},
    }


def line(measure: Measure, bar: float | None) -> str:
    """Return one line of the table."""
    held = "" if bar is None else f"bar {bar:.1f} {'held' if measure.cost_v <= bar else 'ABOVE'}"
    return (
        f"{measure.case:44} {measure.cost_v:5.2f} V  {measure.cpu_us:5.0f} us"
        f"  {measure.rate:6.0f}/s  p50 {measure.p50_ms:5.1f}  p99 {measure.p99_ms:5.1f} ms  {held}"
    )


def collector(alg: str, rounds: int) -> list[Measure]:
    """Measure the collector with hosts that sign with `alg`; print as it goes."""
    with tempfile.TemporaryDirectory() as name, bench_collector(Path(name) / "c") as process:
        bench = Bench(process, alg)
        bench.full()  # the first reports of all, and warmth
        cases = (bench.full, bench.full_again, bench.heartbeat, bench.batch, bench.challenge)
        found: dict[int, list[Measure]] = defaultdict(list)
        for _ in range(rounds):
            for index, case in enumerate(cases):
                found[index].append(case())
        medians = [median_of(found[index]) for index in range(len(cases))]
        v_us = [measure.v_us for measures in found.values() for measure in measures]
        say(f"\nhosts sign with {alg}; one V was {min(v_us):.0f} to {max(v_us):.0f} us")
        for index, measure in enumerate(medians):
            say(line(measure, COST_BARS.get(index)))
        latency(bench, fsync_p99_ms(process.folder))
        if alg == "ES256":
            room(bench, lambda: bytes_in_use(process))
            connections(bench, rounds)
        if (rows := stored_rows(process)) != bench.stored:
            raise AssertionError(f"{bench.stored} acknowledged, {rows} stored")
        say(f"{bench.stored} reports acknowledged, every one stored once")
        return medians


def latency(bench: Bench, fsync_ms: float) -> None:
    """Print latencies with few connections."""
    for measure, bar_ms in ((bench.heartbeat(connections=FEW), 5), (bench.full_again(FEW), 10)):
        bar = bar_ms + 2 * fsync_ms
        held = "held" if measure.p99_ms <= bar else "ABOVE"
        say(
            f"{measure.case:44} p50 {measure.p50_ms:5.1f}  p99 {measure.p99_ms:5.1f} ms"
            f"  bar {bar:.1f} ms (fsync p99 {fsync_ms:.1f}) {held}"
        )


def connections(bench: Bench, rounds: int) -> None:
    """Print what a new TLS connection adds to a heartbeat that arrives at the same pace."""
    bench.use_tls()
    bench.heartbeat()  # keys are read again, and warmth
    with bench.another() as port:
        loads = [
            (bench.heartbeat(), bench.heartbeat_beside(port), bench.heartbeat_anew())
            for _ in range(rounds)
        ]
    for measures in zip(*loads, strict=True):
        say(line(median_of(measures), None))
    more_v = median(anew.cost_v - kept.cost_v for _, kept, anew in loads)
    held = "held" if more_v <= TLS_BAR_V else "ABOVE"
    say(f"a new TLS 1.3 connection for a heartbeat: +{more_v:.1f} V  bar +{TLS_BAR_V} V {held}")


def room(bench: Bench, used: Callable[[], int]) -> None:
    """Print the bytes that a report takes for years."""
    start = used()
    bench.heartbeat(rounds=8)
    middle = used()
    bench.full_again()
    bench.full_again()
    beat, full = (middle - start) / (8 * HOSTS), (used() - middle) / (2 * HOSTS)
    year_mb = (BEATS_A_YEAR * beat + FULLS_A_YEAR * full) / 1e6
    held = "held" if year_mb <= YEAR_BAR_MB else "ABOVE"
    say(
        f"stored: {beat:.0f} bytes a heartbeat, {full:.0f} a full report, indices included:"
        f" {year_mb:.1f} MB a host-year  bar {YEAR_BAR_MB} {held}"
    )


def agents() -> None:
    """Print what the agent takes from its host."""
    cost = agent.measure()
    say(f"\nagent, mean of {cost.cycles} cycles")
    values = (
        ("resident memory, idle, MiB", cost.rss_mib),
        ("CPU of the daemon in a cycle, ms", cost.parent_ms),
        ("CPU of the scan child in a cycle, ms", cost.bare_child_ms),
        ("bytes of a heartbeat on the wire", cost.heartbeat_bytes),
        ("bytes of a full report on the wire", cost.full_bytes),
    )
    for (what, value), bar in zip(values, AGENT_BARS, strict=True):
        say(f"{what:44} {value:7.1f}  bar {bar} {'held' if value <= bar else 'ABOVE'}")


def gpu_evidence() -> None:
    """Print what verifying the evidence of a board of eight chips takes."""
    cost = evidence.measure()
    say(f"\nGPU evidence, eight chips; one V was {cost.v_us:.0f} us")
    for what, value, bar in (
        ("CPU of the first board of a maker, ms", cost.first_ms, BOARD_BAR_MS),
        ("CPU of a board, ms", cost.board_ms, BOARD_BAR_MS),
        ("CPU of a chip, ms", cost.chip_ms, CHIP_BAR_MS),
    ):
        say(f"{what:44} {value:7.1f}  bar {bar} {'held' if value <= bar else 'ABOVE'}")
    say(f"{'CPU of a chip, V':44} {cost.chip_v:7.1f}")


def evidence_beside() -> None:
    """Print what evidence of some hosts does to the latency of others."""
    cost = rounds.measure()
    say(f"\nreports without evidence, {FEW} connections; p50, p99 ms")
    for what, (p50_ms, p99_ms) in (
        ("while nobody sends evidence", cost.alone_ms),
        ("while every tenth report carries 8 chips", cost.beside_ms),
    ):
        say(f"{what:44} {p50_ms:5.1f}  {p99_ms:5.1f}")
    say(f"{cost.rounds} rounds of 8 chips: judged {cost.judged_s:.1f} s after the first was sent")


def book(sizes: Sequence[int]) -> None:
    """Print what balances cost against the size of the fleet."""
    say("\nbalances, CPU ms of one process; sites of 1,000 chips, families of 10 sites")
    say(f"{'chips':>10} {'one site':>9} {'an event':>9} {'and after':>9}")
    for sites in sizes:
        cost = balances.measure(sites)
        say(
            f"{cost.chips:>10,} {cost.site_ms:9.1f} {cost.event_ms:9.1f} {cost.after_ms:9.1f}"
            f"   all: {cost.pure_ms / 1000:6.2f} s in memory, {cost.ledger_ms / 1000:6.2f} s"
            f" from the ledger's bytes, {cost.all_ms / 1000:6.2f} s from the database"
        )
    one = balances.measure(SIZES[-1], in_family=SIZES[-1])
    say(
        f"{one.chips:>10,} {one.site_ms:9.1f} {one.event_ms:9.1f} {one.after_ms:9.1f}"
        f"   all {SIZES[-1]} sites of one parent and licence"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="rounds of every case")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there too")
    parser.add_argument("--million", action="store_true", help="balances of a million chips too")
    parser.add_argument("--book", action="store_true", help="measure balances alone")
    arguments = parser.parse_args(argv)
    sizes = (*SIZES, MILLION) if arguments.million else SIZES
    facts = machine()
    say(" ".join(f"{key} {value};" for key, value in facts.items()))
    if arguments.book:
        book(sizes)
        return 0
    measures = [m for alg in ("ES256", "Ed25519") for m in collector(alg, arguments.rounds)]
    agents()
    gpu_evidence()
    evidence_beside()
    book(sizes)
    if arguments.json is not None:
        rows = [{**asdict(measure), "cost_v": measure.cost_v} for measure in measures]
        arguments.json.write_bytes(msgspec.json.encode({"machine": facts, "measures": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
