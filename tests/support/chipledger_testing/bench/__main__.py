"""`make bench`: one table of costs, with the bars they are held against."""

import sys
import tempfile
from pathlib import Path

from chipledger_testing.bench.server import (
    FEW,
    HOSTS,
    Bench,
    Measure,
    bench_collector,
    bytes_in_use,
    fsync_p99_ms,
    stored_rows,
)


def show(measure: Measure, bar: float | None = None) -> None:
    """Print one line."""
    held = "" if bar is None else f"   bar {bar} V"
    sys.stdout.write(
        f"{measure.case:48} {measure.cost_v:6.2f} V {measure.cpu_us:7.0f} us"
        f"  V {measure.v_us:5.0f} us {measure.rate:7.0f}/s"
        f"  p50 {measure.p50_ms:5.1f} p99 {measure.p99_ms:5.1f} ms{held}\n"
    )
    sys.stdout.flush()


def main() -> int:
    """Measure and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    for alg in ("Ed25519", "ES256"):
        with tempfile.TemporaryDirectory() as name, bench_collector(Path(name) / "c") as collector:
            bench = Bench(collector, alg)
            show(bench.full())
            bench.heartbeat(rounds=1)
            for _ in range(rounds):
                show(bench.full(), 4.5)
                show(bench.full_again())
                show(bench.heartbeat(), 3)
                show(bench.batch(), 1.8)
                show(bench.challenge(), 1)
            show(bench.heartbeat(connections=FEW))
            show(bench.full(connections=FEW))
            print("fsync p99", fsync_p99_ms(collector.folder))
            before = bytes_in_use(collector)
            bench.heartbeat(rounds=8)
            print("bytes per heartbeat", (bytes_in_use(collector) - before) / (8 * HOSTS))
            assert stored_rows(collector) == bench.stored
    return 0


if __name__ == "__main__":
    sys.exit(main())
