"""What freezing a period costs at a large site: ``python -m chipledger_testing.bench.freezing``.

One site, eight chips a host, every chip received by name and seen on its host; the quarter is
frozen, frozen again after a late receipt, and the page of the period is computed.
"""

import argparse
import gc
import resource
import sys
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from chipledger_book.events import ByChip
from chipledger_book.lines import ChipRef
from chipledger_testing.book import H100, declared, ms, received
from chipledger_testing.closing import desk, detail, freezes
from chipledger_testing.hosts import chip_of
from chipledger_testing.scene import Scene

_A_HOST = 8
_A_LINE = 1_000


def main() -> None:
    """Print what it costs at a number of chips."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chips", type=int, nargs="*", default=[1_000, 10_000])
    for chips in parser.parse_args().chips:
        with TemporaryDirectory() as folder:
            _print(chips, Scene(Path(folder)))


def _print(chips: int, scene: Scene) -> None:
    _fill(scene, chips)
    made, first_s = _timed(lambda: freezes(scene))
    body = desk(scene).store.document(made.digest) or b""
    _, page_s = _timed(lambda: detail(scene))
    scene.enter(received(4, at=ms(2026, 3, 5)))
    _, again_s = _timed(lambda: freezes(scene))
    most_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(
        f"{chips:,} chips: frozen in {first_s:.2f} s, again after a late paper in {again_s:.2f} s,"
        f" its page in {page_s:.2f} s; document {len(body):,} bytes,"
        f" {len(zlib.compress(body, 6)):,} kept; most memory {most_mib:,} MiB (CPU time)\n"
    )


def _fill(scene: Scene, chips: int) -> None:
    hosts = [f"h{number}" for number in range(chips // _A_HOST)]
    named = {name: [chip_of(name, place) for place in range(_A_HOST)] for name in hosts}
    refs = [ChipRef(pdi=chip.pdi, uuid=chip.uuid) for those in named.values() for chip in those]
    lines = [
        ByChip(sku=H100, chips=tuple(refs[start : start + _A_LINE]))
        for start in range(0, len(refs), _A_LINE)
    ]
    scene.enter(declared())
    for number, line in enumerate(lines):
        scene.enter(received(line, at=ms(2026, 2), shipment=f"DN-{number}"))
    for name, those in named.items():
        scene.seen(scene.host("johor", name, at=ms(2026, 2)), *those, since=ms(2026, 2, 2))
    scene.sequence()


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    gc.collect()
    began = time.process_time()
    found = work()
    return found, time.process_time() - began


if __name__ == "__main__":
    main()
