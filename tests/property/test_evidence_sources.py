"""Whatever a foreign program or a BMC answers, a source gives evidence or a reason."""

from contextlib import suppress

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from chipledger_agent.cycle.evidence import pack
from chipledger_agent.domain.evidence import DeviceEvidence, Gathered
from chipledger_agent.gpu_evidence.bmc import Answer, BmcError
from chipledger_agent.gpu_evidence.corelib import FailedError, read_output
from chipledger_agent.gpu_evidence.redfish import read_measured
from chipledger_agent.gpu_evidence.views import BmcChip, BmcTray, differences
from chipledger_evidence.gpu.envelope import open_envelope
from chipledger_evidence.ids import sha256_b64
from chipledger_evidence.inventory import Chip, Inventory, Platform, Provider, Status

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=8,
)
NAMES = st.sampled_from(
    ["evidences", "result_code", "arch", "nonce", "evidence", "certificate", "TaskState", "Payload"]
)
PDIS = st.sampled_from([None, *(f"{n:016x}" for n in range(1, 6))])
PIECES = st.builds(
    DeviceEvidence,
    source=st.sampled_from(["nvml", "corelib", "redfish"]),
    transcript=st.binary(max_size=64),
    chain=st.binary(max_size=64),
    chip=st.none() | st.integers(min_value=0, max_value=63),
)


@given(st.binary(max_size=300) | st.dictionaries(NAMES, JSON).map(msgspec.json.encode))
def test_any_output_of_the_program_is_devices_or_one_failure(output: bytes) -> None:
    """Nothing else is raised."""
    with suppress(FailedError):
        items = read_output(output, bytes(32))
        assert all(item.evidence and item.certificate for item in items)


@given(st.binary(max_size=300) | st.dictionaries(NAMES, JSON).map(msgspec.json.encode))
def test_any_answer_of_a_bmc_is_understood_or_refused(body: bytes) -> None:
    """Nothing else is raised."""
    with suppress(BmcError):
        read_measured(Answer(status=200, headers={}, body=body))


@given(st.lists(PIECES, max_size=12))
def test_what_is_packed_is_what_was_given(pieces: list[DeviceEvidence]) -> None:
    """Byte for byte, under its own digest, each named once."""
    packed = pack([Gathered(found=tuple(pieces))], bytes(32))
    opened = {
        (envelope.source, envelope.transcript_bytes(), envelope.chain_bytes())
        for envelope in map(open_envelope, packed.blobs)
    }

    assert [ref.digest for ref in packed.refs] == [sha256_b64(blob) for blob in packed.blobs]
    assert opened == {(item.source, item.transcript, item.chain) for item in pieces}


@given(
    st.lists(st.builds(BmcChip, name=st.just("n"), pdi=PDIS), max_size=5),
    st.lists(PDIS, max_size=5),
    st.none() | st.builds(BmcTray, slot=st.integers(0, 2), tray=st.integers(0, 2)),
)
def test_views_that_agree_are_never_called_different(
    listed: list[BmcChip], pdis: list[str | None], tray: BmcTray | None
) -> None:
    """And every reason names a chip that is in the inventory."""
    chips = tuple(
        Chip(index=index, pdi=pdi, platform=Platform(slot=1, tray=1))
        for index, pdi in enumerate(pdis)
    )
    inventory = Inventory(status=Status.OK, provider=Provider(kind="mock"), chips=chips)
    found = differences(listed, tray, inventory)

    assert all(reason.chip is None or reason.chip < len(chips) for reason in found)
    if sorted(chip.pdi or "" for chip in listed) == sorted(pdi or "" for pdi in pdis):
        assert {reason.code for reason in found} <= {"bmc-slot-differs"}
