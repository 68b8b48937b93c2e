"""Evidence through a BMC, over real TLS: what it signs, what it lists, and how it can fail."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from chipledger_agent.adapters.clock import SystemClock
from chipledger_agent.domain.evidence import Gathered
from chipledger_agent.gpu_evidence.bmc import Access
from chipledger_agent.gpu_evidence.redfish import RedfishSource
from chipledger_evidence.gpu.verify import DeviceClass, Fact, verify_evidence
from chipledger_evidence.inventory import Inventory, Platform
from chipledger_testing.bmc import (
    ACTION,
    CHASSIS,
    INTEGRITY,
    PASSWORD,
    USER,
    FakeBmc,
    Fault,
    component,
    fsp_chips,
    made_tree,
    recorded_tree,
    served_bmc,
)
from chipledger_testing.certificates import Certificate, certificate_for
from chipledger_testing.gpu_pki import NOW, PKI, GpuMaker, Shape
from chipledger_testing.nvml import host_of
from chipledger_testing.nvml.child import scan_in_process

NONCE = bytes(range(32))


class QuickClock(SystemClock):
    """The machine's clock, on which nobody has to wait."""

    def __init__(self) -> None:
        self._waited_ms = 0

    def monotonic_ms(self) -> int:  # type: ignore[explicit-override] # typing.override needs Python 3.12
        """Return the time, what was waited included."""
        return super().monotonic_ms() + self._waited_ms

    def pause_ms(self, milliseconds: int) -> None:  # type: ignore[explicit-override] # same
        """Let so much time have passed."""
        self._waited_ms += milliseconds


SLOT, TRAY = 24, 14
FIRST = f"{INTEGRITY}/HGX_IRoT_GPU_0"
ASK = f"{FIRST}/Actions/{ACTION}"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """Return the BMC's certificate."""
    return certificate_for(tmp_path_factory.mktemp("bmc"), "bmc")


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """Return what the driver of a GB200 tray reports, in step with the BMC."""
    made = scan_in_process(
        host_of("gb200-tray", seed="bmc"), tmp_path_factory.mktemp("root")
    ).inventory
    makers = fsp_chips(len(made.chips)).values()
    chips = tuple(
        msgspec.structs.replace(
            chip,
            pdi=maker.pdi,
            serial=f"165{maker.number:010}",
            platform=Platform(slot=SLOT, tray=TRAY),
        )
        for chip, maker in zip(made.chips, makers, strict=True)
    )
    return msgspec.structs.replace(made, chips=chips)


@pytest.fixture
def bmc(inventory: Inventory) -> FakeBmc:
    """Return a BMC that lists and asks the same chips."""
    signers = fsp_chips(len(inventory.chips))
    return FakeBmc(tree=made_tree(signers, slot=SLOT, tray=TRAY), signers=signers)


@contextmanager
def asked(
    bmc: FakeBmc,
    certificate: Certificate,
    folder: Path,
    *,
    deadline_s: int = 30,
    pin: str = "",
    credentials: str = f"{USER}:{PASSWORD}\n",
) -> Iterator[RedfishSource]:
    """Serve `bmc` and yield a source that knows where it is."""
    pin_file, secret = folder / "pin", folder / "secret"
    pin_file.write_text(pin or f"sha256:{certificate.digest()}\n")
    secret.write_text(credentials)
    secret.chmod(0o600)
    clock = QuickClock()
    with served_bmc(bmc, certificate.server_context()) as url:
        yield RedfishSource(
            Access(url=url, pin_file=pin_file, credentials_file=secret),
            monotonic_ms=clock.monotonic_ms,
            pause_ms=clock.pause_ms,
            deadline_s=deadline_s,
        )


def codes(result: Gathered) -> list[str]:
    """Return the reason codes."""
    return [reason.code for reason in result.reasons]


@pytest.mark.parametrize("at_once", [False, True])
def test_every_chip_signs_through_its_bmc(
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path, *, at_once: bool
) -> None:
    """By a task, or at once; each verifies as its chip, and the views agree."""
    bmc.at_once = at_once
    with asked(bmc, certificate, tmp_path) as source:
        result = source.gather(NONCE, inventory, within_s=60)

    facts = [
        verify_evidence(item.transcript, item.chain, nonce=NONCE, pins=PKI.pins, now=NOW)
        for item in result.found
    ]
    assert [item.chip for item in result.found] == list(range(len(inventory.chips)))
    assert {each.device_class for each in facts} == {DeviceClass.GPU}
    assert {(each.signature, each.nonce) for each in facts} == {(Fact.PASS, Fact.PASS)}
    assert [each.pdi for each in facts] == [chip.pdi for chip in inventory.chips]
    assert result.reasons == ()


def test_a_recorded_gb200_is_understood(
    shared: Path, certificate: Certificate, inventory: Inventory, tmp_path: Path
) -> None:
    """Its four GPUs, its chains as recorded, its serials as PDIs; only the reports are ours."""
    folder = shared / "evidence" / "oob" / "gb200"
    recorded = FakeBmc(tree=recorded_tree(folder), signers=fsp_chips(4))
    serials = [recorded.tree[f"{CHASSIS}/HGX_IRoT_GPU_{n}"]["SerialNumber"] for n in range(4)]
    chips = tuple(
        msgspec.structs.replace(chip, pdi=serial.lower().removeprefix("0x"))
        for chip, serial in zip(inventory.chips, serials, strict=True)
    )
    with asked(recorded, certificate, tmp_path) as source:
        result = source.gather(NONCE, msgspec.structs.replace(inventory, chips=chips), within_s=60)

    chain = recorded.tree[f"{CHASSIS}/HGX_IRoT_GPU_2/Certificates/CertChain"]["CertificateString"]
    assert [item.chip for item in result.found] == [0, 1, 2, 3]
    assert result.found[2].chain == chain.encode()
    assert result.reasons == ()


def test_a_chip_that_the_driver_hides_is_told(
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path
) -> None:
    """The BMC's evidence for it comes along, belonging to no reported chip."""
    fewer = msgspec.structs.replace(inventory, chips=inventory.chips[:-1])
    with asked(bmc, certificate, tmp_path) as source:
        result = source.gather(NONCE, fewer, within_s=60)

    hidden = inventory.chips[-1].pdi
    (reason,) = result.reasons
    assert (reason.code, reason.chip) == ("bmc-chip-unreported", None)
    assert reason.detail is not None
    assert reason.detail.endswith(str(hidden))
    assert [item.chip for item in result.found][-1] is None


def test_a_driver_that_names_no_pdi_is_counted(
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path
) -> None:
    """Before 580 there is nothing to compare but the number."""
    chips = tuple(msgspec.structs.replace(chip, pdi=None) for chip in inventory.chips[1:])
    with asked(bmc, certificate, tmp_path) as source:
        result = source.gather(NONCE, msgspec.structs.replace(inventory, chips=chips), within_s=60)

    assert codes(result) == ["bmc-chip-unreported"]


def test_serials_and_places_are_held_against_the_driver_s(
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path
) -> None:
    """Each difference is named with both sides."""
    bmc.tree[f"{CHASSIS}/HGX_GPU_1"]["SerialNumber"] = "1650000000999"
    bmc.tree[f"{CHASSIS}/CBC_0"]["Oem"]["Nvidia"]["ComputeTrayIndex"] = 3
    del bmc.tree[f"{INTEGRITY}/HGX_IRoT_GPU_3"]
    members = bmc.tree[INTEGRITY]["Members"]
    members[:] = [member for member in members if not member["@odata.id"].endswith("GPU_3")]
    with asked(bmc, certificate, tmp_path) as source:
        result = source.gather(NONCE, inventory, within_s=60)

    assert [(reason.code, reason.chip) for reason in result.reasons] == [
        ("bmc-chip-unseen", 3),
        ("bmc-serial-differs", 1),
        *(("bmc-slot-differs", chip) for chip in range(4)),
    ]
    assert result.reasons[-1].detail == "tray 3 by the BMC, 14 by the driver"


def test_a_board_s_root_of_trust_is_no_chip(
    certificate: Certificate, inventory: Inventory, tmp_path: Path
) -> None:
    """Hopper's BMC knows only those: nothing is asked of them."""
    name = "HGX_ERoT_GPU_0"
    hopper = FakeBmc(
        tree=made_tree({name: GpuMaker(0, Shape.EROT)}), signers={name: GpuMaker(0, Shape.EROT)}
    )
    with asked(hopper, certificate, tmp_path) as source:
        result = source.gather(NONCE, inventory, within_s=60)

    assert codes(result) == ["redfish-board-root-only"]
    assert not [line for line in hopper.asked if line.startswith("POST")]


def test_a_bmc_without_roots_of_trust_says_so(
    certificate: Certificate, inventory: Inventory, tmp_path: Path
) -> None:
    """An empty list is an answer."""
    empty = FakeBmc(tree=made_tree({}), signers={})
    with asked(empty, certificate, tmp_path) as source:
        assert codes(source.gather(NONCE, inventory, within_s=60)) == ["redfish-not-listed"]


def test_a_switch_signs_as_a_witness(
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path
) -> None:
    """It belongs to no chip, and is counted as none."""
    name = "HGX_IRoT_NVSwitch_0"
    switch = GpuMaker(5, Shape.SWITCH)
    signers = {**bmc.signers, name: switch}
    both = FakeBmc(tree=made_tree(signers, slot=SLOT, tray=TRAY), signers=signers)
    with asked(both, certificate, tmp_path) as source:
        result = source.gather(NONCE, inventory, within_s=60)

    assert [item.chip for item in result.found] == [0, 1, 2, 3, None]
    assert result.reasons == ()


@pytest.mark.parametrize(
    ("path", "fault", "code"),
    [
        (INTEGRITY, Fault.REDIRECTS, "redfish-redirected"),
        (INTEGRITY, Fault.NOT_JSON, "redfish-malformed"),
        (INTEGRITY, Fault.WRONG_TYPES, "redfish-malformed"),
        (INTEGRITY, Fault.DEEP, "redfish-malformed"),
        (INTEGRITY, Fault.CUT, "redfish-malformed"),
        (INTEGRITY, Fault.SHORT, "redfish-unreachable"),
        (INTEGRITY, Fault.ENDLESS, "redfish-oversize"),
        (INTEGRITY, Fault.ABSENT, "redfish-refused"),
        (INTEGRITY, Fault.BROKEN, "redfish-unreachable"),
        (f"{FIRST}/*", Fault.ENDLESS, "redfish-oversize"),
    ],
)
def test_a_bmc_that_fails_is_one_reason(  # noqa: PLR0917 - fixtures
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path, path: str,
    fault: Fault, code: str,
) -> None:  # fmt: skip
    """Nothing is believed, nothing is followed, nothing is read without end."""
    bmc.faults[path] = fault
    with asked(bmc, certificate, tmp_path) as source:
        result = source.gather(NONCE, inventory, within_s=60)

    assert result.found == ()
    assert codes(result)[-1] == code


@pytest.mark.parametrize(
    ("path", "fault", "code"),
    [
        (FIRST, Fault.NOT_JSON, "redfish-malformed"),
        (f"{CHASSIS}/HGX_IRoT_GPU_0/Certificates/CertChain", Fault.ABSENT, "redfish-refused"),
        (f"{CHASSIS}/HGX_IRoT_GPU_0/Certificates/CertChain", Fault.REDIRECTS, "redfish-redirected"),
        (ASK, Fault.ABSENT, "redfish-refused"),
        (ASK, Fault.NOT_JSON, "redfish-malformed"),
        (ASK, Fault.WRONG_TYPES, "redfish-malformed"),
        (ASK, Fault.TASK_FAILS, "redfish-task-failed"),
        (ASK, Fault.LEADS_AWAY, "redfish-malformed"),
    ],
)
def test_one_chip_that_fails_does_not_cost_the_others(  # noqa: PLR0917 - fixtures
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path, path: str,
    fault: Fault, code: str,
) -> None:  # fmt: skip
    """They sign, it has its reason."""
    bmc.faults[path] = fault
    with asked(bmc, certificate, tmp_path) as source:
        result = source.gather(NONCE, inventory, within_s=60)

    assert [item.chip for item in result.found] == [1, 2, 3]
    assert codes(result)[0] == code


@pytest.mark.parametrize("fault", [Fault.HANGS, Fault.DRIPS])
@pytest.mark.parametrize("path", [INTEGRITY, ASK])
def test_a_bmc_that_hangs_costs_the_deadline_and_no_more(  # noqa: PLR0917 - fixtures
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path, path: str,
    fault: Fault,
) -> None:  # fmt: skip
    """Even one that always sends a little more."""
    bmc.faults[path] = fault
    with asked(bmc, certificate, tmp_path, deadline_s=1) as source:
        result = source.gather(NONCE, inventory, within_s=60)

    assert codes(result)[-1] == "deadline"


def test_a_task_that_never_ends_costs_the_deadline(
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path
) -> None:
    """What other chips signed before stands."""
    bmc.faults[f"{INTEGRITY}/HGX_IRoT_GPU_1/Actions/{ACTION}"] = Fault.TASK_STAYS
    with asked(bmc, certificate, tmp_path) as source:
        result = source.gather(NONCE, inventory, within_s=60)

    assert [item.chip for item in result.found] == [0]
    assert codes(result) == ["deadline"]


def test_another_certificate_is_refused_before_a_password_is_sent(
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path
) -> None:
    """The pin decides who is spoken to."""
    with asked(bmc, certificate, tmp_path, pin=f"sha256:{'00' * 32}\n") as source:
        result = source.gather(NONCE, inventory, within_s=60)

    assert codes(result) == ["redfish-untrusted"]
    assert bmc.asked == []


@pytest.mark.parametrize(
    ("credentials", "mode", "code"),
    [
        ("somebody:else\n", 0o600, "redfish-refused"),
        ("no colon\n", 0o600, "redfish-credentials-unreadable"),
        (f"{USER}:{PASSWORD}\n", 0o644, "redfish-credentials-unreadable"),
    ],
)
def test_credentials_must_be_right_and_closed(  # noqa: PLR0917 - fixtures
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path,
    credentials: str, mode: int, code: str,
) -> None:  # fmt: skip
    """A file that others can read holds no secret."""
    with asked(bmc, certificate, tmp_path, credentials=credentials) as source:
        (tmp_path / "secret").chmod(mode)
        result = source.gather(NONCE, inventory, within_s=60)

    assert codes(result) == [code]
    assert PASSWORD not in str(result.reasons)


@pytest.mark.parametrize(
    "link",
    [
        "https://192.0.2.1/redfish/v1/x",
        "//192.0.2.1/x",
        "/login",
        "/redfish/v1/../../x",
        "/redfish/v1/a?b",
    ],
)
def test_links_that_lead_out_of_redfish_are_not_followed(
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path, link: str
) -> None:
    """Wherever they stand."""
    bmc.tree[INTEGRITY]["Members"].insert(0, {"@odata.id": link})
    with asked(bmc, certificate, tmp_path) as source:
        result = source.gather(NONCE, inventory, within_s=60)

    assert codes(result) == ["redfish-malformed"]
    assert len(result.found) == 4
    assert not [line for line in bmc.asked if link in line]


def test_a_component_without_the_action_is_a_reason(
    bmc: FakeBmc, certificate: Certificate, inventory: Inventory, tmp_path: Path
) -> None:
    """Its chain alone would prove nothing over our nonce."""
    plain = component("HGX_IRoT_GPU_0") | {"Actions": {}}
    bmc.tree[FIRST] = plain
    with asked(bmc, certificate, tmp_path) as source:
        result = source.gather(NONCE, inventory, within_s=60)

    assert [(reason.code, reason.chip) for reason in result.reasons] == [
        ("not-offered-by-architecture", 0)
    ]
