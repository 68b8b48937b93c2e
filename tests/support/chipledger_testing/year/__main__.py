"""`python -m chipledger_testing.year [SEEDS]`: years of 10,000 chips, honest and planted."""

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from chipledger_book.watch.diversions import Result, diversions
from chipledger_testing.year.honest import honest_year
from chipledger_testing.year.noise import Noise, honest_noise
from chipledger_testing.year.proving import prove
from chipledger_testing.year.things import WHOLE

CORES = 2


def honest(seed: int) -> Noise:
    """Return what an honest year of 10,000 chips raises."""
    return honest_noise(honest_year(WHOLE, seed))


def planted(name: str) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return, for each cell of a row, what was promised and what is otherwise."""
    world = honest_year(WHOLE, 1)
    one = next(row for row in diversions().diversions if row.id == name)
    cells = []
    for outcome in one.outcomes:
        for papers in outcome.papers:
            where = f"{name} {papers}" + (f" with {outcome.given}" if outcome.given else "")
            says = "cannot see" if outcome.result is Result.CANNOT_SEE else str(outcome.kind)
            cells.append((where, says, prove(world, one, papers, outcome.given)))
    return cells


def _print(text: str) -> None:
    """Print one line at once: a year takes a minute."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(seeds: int) -> int:
    """Print both tables as they come, and return 0 if everything is as promised."""
    wrong, heavy, chip_years = 0, 0, 0
    raised = Counter[tuple[str, str]]()
    with ProcessPoolExecutor(CORES) as pool:
        for seed, noise in enumerate(pool.map(honest, range(1, seeds + 1)), 1):
            heavy, chip_years = heavy + noise.heavy, chip_years + noise.chip_years
            raised.update(noise.raised)
            wrong += len(noise.wrong)
            _print(
                f"seed {seed} of {seeds}: {noise.chip_years // 1000:,} chip-years,"
                f" {noise.heavy} high or critical, {len(noise.wrong)} wrong"
            )
            for line in (*noise.words, *noise.wrong[:5]):
                _print(f"    {line}")
        for (kind, severity), number in sorted(raised.items()):
            _print(f"{kind:28} {severity:9} {number:6}")
        per_million = heavy * 10_000_000 * 1000 // max(1, chip_years)
        rate = f"{per_million // 1000}.{per_million % 1000:03}"
        _print(f"high or critical per 10,000 chip-years: {rate}")
        for cells in pool.map(planted, [one.id for one in diversions().diversions]):
            for where, says, otherwise in cells:
                wrong += bool(otherwise)
                _print(f"{where:58} {says:28} {'; '.join(otherwise) or 'as promised'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2))
