"""Machine descriptions: what is written down is what is read back."""

from pathlib import Path

import pytest

from chipledger_testing.nvml import (
    Answer,
    host_of,
    junk,
    parse_machine,
    profile,
    profile_names,
    read_machine,
    refuse,
    write_machine,
)
from chipledger_testing.nvml.machine import dump_answer, dump_machine, parse_answer

EXPECTED = {
    "a100": ("NVIDIA A100-SXM4-40GB", 1, 1),
    "gb200-tray": ("NVIDIA GB200", 4, 2),
    "gb300-tray": ("NVIDIA GB300", 4, 2),
    "geforce-4060ti": ("NVIDIA GeForce RTX 4060 Ti", 2, 0),
    "hgx-b200": ("NVIDIA B200", 8, 8),
    "hgx-h100": ("NVIDIA H100 80GB HBM3", 8, 8),
    "hgx-h200": ("NVIDIA H200", 8, 8),
    "l40s": ("NVIDIA L40S", 1, 1),
    "t4": ("Tesla T4", 1, 1),
}


def serials(name: str) -> set[str]:
    """Return the distinct board serials of a profile."""
    values = (gpu.answer("serial").value for gpu in profile(name).gpus)
    return {value for value in values if isinstance(value, str)}


def test_every_profile_is_the_machine_it_names() -> None:
    """Each profile has the name, chips and distinct board serials of the real machine."""
    found = {
        name: (
            profile(name).gpus[0].answer("name").value,
            len(profile(name).gpus),
            len(serials(name)),
        )
        for name in profile_names()
    }

    assert found == EXPECTED


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_machine_survives_its_file(name: str, tmp_path: Path) -> None:
    """A machine written to a file and read again is the same machine, every view of it."""
    machine = host_of(name, seed="host-1")

    again = read_machine(write_machine(machine, tmp_path / "machine.json"))

    assert again == machine


@pytest.mark.parametrize(
    "answer",
    [
        Answer(value=7),
        Answer(value="text"),
        Answer(value=(1, 2)),
        Answer(value={"slot": 14}),
        Answer(value=7, delay_ms=20),
        refuse(15),
        junk(b"\xff\xfe"),
        Answer(),
    ],
)
def test_every_kind_of_answer_survives_json(answer: Answer) -> None:
    """Values, refusals, raw bytes and delays are written and read without loss."""
    assert parse_answer(dump_answer(answer)) == answer


def test_an_undescribed_field_is_not_supported() -> None:
    """A field nobody described is refused with NotSupported, never answered as zero."""
    assert profile("l40s").gpus[0].answer("mig_mode") == refuse(3)


def test_board_id_follows_the_pci_address() -> None:
    """The board id is domain, bus and device packed, as on all captured hardware."""
    ids = [gpu.answer("board_id").value for gpu in profile("gb300-tray").gpus]

    assert ids == [0x80600, 0x90600, 0x180600, 0x190600]


def test_honest_hosts_show_the_same_chips_in_all_three_views() -> None:
    """Without further words sysfs and /proc show the GPUs that NVML lists."""
    machine = host_of("hgx-h100", seed="a")

    in_nvml = [gpu.pci.address for gpu in machine.gpus]

    assert [f.address for f in machine.pci if f.class_code == 0x030200] == in_nvml
    assert [entry.address for entry in machine.proc] == in_nvml
    assert [entry.uuid for entry in machine.proc] == [
        gpu.answer("uuid").value for gpu in machine.gpus
    ]


def test_equal_seeds_make_equal_hosts() -> None:
    """The same seed gives the same identifiers again, another seed shares none."""
    one, again, other = (host_of("gb200-tray", seed=seed) for seed in ("x", "x", "y"))

    def identifiers(machine: object) -> set[object]:
        gpus = getattr(machine, "gpus", ())
        return {gpu.answer(n).value for gpu in gpus for n in ("uuid", "pdi", "serial")}

    assert identifiers(one) == identifiers(again)
    assert identifiers(one) & identifiers(other) == set()


def test_chips_of_one_board_keep_sharing_their_serial() -> None:
    """On a GB200 tray two chips share one serial, while PDI and UUID are their own."""
    gpus = host_of("gb200-tray", seed="x").gpus

    serial = [gpu.answer("serial").value for gpu in gpus]

    assert serial[0] == serial[1] != serial[2] == serial[3]
    assert len({gpu.answer("pdi").value for gpu in gpus}) == 4
    assert len({gpu.answer("uuid").value for gpu in gpus}) == 4


def test_fabric_guid_equals_pdi_on_gb_trays_only() -> None:
    """Generated GUIDs keep the relation of the captures: equal on GB trays, not on HGX B200."""

    def guids(name: str) -> list[bool]:
        rows = []
        for gpu in host_of(name, seed="x").gpus:
            platform = gpu.answer("platform").value
            assert isinstance(platform, dict)
            rows.append(platform["ib_guid"] == f"{gpu.answer('pdi').value:016x}" + "00" * 8)
        return rows

    assert guids("gb200-tray") == [True] * 4
    assert guids("hgx-b200") == [False] * 8


def test_trays_of_one_rack_share_chassis_and_cluster_alone() -> None:
    """Two hosts of one rack share chassis serial and fabric cluster, and no chip."""
    one, two = (host_of("gb200-tray", seed=seed, rack="rack-1") for seed in ("x", "y"))

    def of(machine: object, field: str, member: str) -> set[object]:
        return {gpu.answer(field).value[member] for gpu in getattr(machine, "gpus", ())}

    assert of(one, "platform", "chassis") == of(two, "platform", "chassis")
    assert of(one, "fabric", "cluster") == of(two, "fabric", "cluster")
    assert of(one, "platform", "ib_guid").isdisjoint(of(two, "platform", "ib_guid"))


def test_generated_serials_look_like_board_serials() -> None:
    """A serial is 13 digits: site, week 01 to 52, year, sequence."""
    for gpu in host_of("hgx-h100", seed="x").gpus:
        serial = str(gpu.answer("serial").value)
        assert len(serial) == 13
        assert serial.isdigit()
        assert serial.startswith("165")
        assert 1 <= int(serial[3:5]) <= 52


def test_empty_chassis_and_zero_cluster_are_no_identity() -> None:
    """What names nothing on the real machine names nothing on a generated host."""
    gpu = host_of("hgx-b200", seed="x").gpus[0]
    platform, fabric = gpu.answer("platform").value, gpu.answer("fabric").value

    assert isinstance(platform, dict)
    assert isinstance(fabric, dict)
    assert platform["chassis"] == ""
    assert fabric["cluster"] == "00000000-0000-0000-0000-000000000000"


def test_a_change_of_one_field_changes_nothing_else() -> None:
    """`with_gpu` gives a new machine that differs in the one field."""
    machine = profile("hgx-h100")

    changed = machine.with_gpu(3, serial=refuse(3))

    assert changed.gpus[3].answer("serial") == refuse(3)
    assert changed.with_gpu(3, serial=machine.gpus[3].answer("serial")) == machine


def test_another_format_is_refused() -> None:
    """A document that does not say it is a machine is not read as one."""
    document = {**dump_machine(profile("t4")), "format": "something-else"}

    with pytest.raises(ValueError, match="not a machine description"):
        parse_machine(document)
