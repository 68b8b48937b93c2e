"""No answer of a library keeps the scan from an inventory that a collector can read."""

from pathlib import Path
from random import Random  # noqa: TID251 - hypothesis draws it

from hypothesis import given
from hypothesis import strategies as st

from chipledger_agent.scan.child import scan
from chipledger_agent.scan.lines import Counted, Line, decode_line, encode_line
from chipledger_agent.scan.merge import Ending, merge
from chipledger_evidence.codec import decode_strict, encode_canonical
from chipledger_evidence.inventory import MAX_CHIPS, Counters, Inventory
from chipledger_testing.nvml import installed
from chipledger_testing.nvml.garbage import NoiseSource


@given(st.randoms(use_true_random=False))
def test_noise_becomes_values_and_reasons(random: Random) -> None:
    """Every counted device is listed, every line is ours, and the statement is canonical."""
    lines: list[Line] = []
    with installed(None):
        scan(
            NoiseSource(random),
            root=Path("/nowhere"),
            environment={},
            emit=lambda line: lines.append(decode_line(encode_line(line))),
        )
    seen = merge(lines, Ending.FINISHED, provider="noise")

    decode_strict(encode_canonical(seen.inventory), Inventory)
    decode_strict(encode_canonical(seen.counters), tuple[Counters, ...])
    counted = [min(line.devices, MAX_CHIPS) for line in lines if isinstance(line, Counted)]
    assert [len(seen.inventory.chips)] == (counted or [0])
