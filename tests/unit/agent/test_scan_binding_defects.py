"""Each fault of the binding that would reach an inventory is stepped around.

The first half of each pair shows that the fault is there (when an update of the binding
repairs it, that half fails and the detour may go); the second that the scan is not hit.
"""

import ctypes
import json
from pathlib import Path

import pynvml
import pytest

from chipledger_agent.scan import nvml
from chipledger_agent.scan.reading import UnreadableError
from chipledger_evidence.inventory import Chip, Unread, Why
from chipledger_testing.nvml import Machine, MockLibrary, host_of, installed, junk, profile, refuse
from chipledger_testing.nvml.child import scan_in_process
from chipledger_testing.nvml.library import Export

GUID = "fc6a1c0300f19ab400000000000000ff"


def chip_of(machine: Machine, root: Path) -> Chip:
    """Return what the scan says of GPU 0."""
    return scan_in_process(machine, root).inventory.chips[0]


def tray() -> Machine:
    """Return a GB200 tray whose GUID has high and zero bytes."""
    machine = profile("gb200-tray")
    platform = machine.gpus[0].answer("platform").value
    assert isinstance(platform, dict)
    return machine.with_gpu(0, platform={**platform, "ib_guid": GUID})


def test_the_binding_shares_one_module_id_between_all_calls() -> None:
    """The default argument of nvmlDeviceGetModuleId is one object for ever."""
    (default,) = pynvml.nvmlDeviceGetModuleId.__defaults__
    with installed(MockLibrary(profile("hgx-h100"))):
        nvml.initialise()
        pynvml.nvmlDeviceGetModuleId(nvml.device_handle(0))

    assert default.value == 7


def test_module_ids_and_gsp_modes_are_read_into_memory_of_their_own() -> None:
    """Reading through the shared objects of the binding is avoided."""
    default = pynvml.nvmlDeviceGetModuleId.__defaults__[0]
    default.value = 4711
    with installed(MockLibrary(profile("hgx-h100"))):
        nvml.initialise()
        handle = nvml.device_handle(0)
        found = nvml.module_id(handle), nvml.gsp_mode(handle)

    assert found == (7, 1)
    assert default.value == 4711


def test_the_binding_misreads_platform_information() -> None:
    """Declared as char, a GUID with high bytes raises and a slot number is a control character."""
    with installed(MockLibrary(tray())):
        nvml.initialise()
        info = pynvml.c_nvmlPlatformInfo_v2_t()
        pynvml.nvmlDeviceGetPlatformInfo(nvml.device_handle(0), ctypes.byref(info))
        with pytest.raises(UnicodeDecodeError):
            _ = info.ibGuid
        assert info.slotNumber == "\x0e"


def test_platform_information_is_read_raw(tmp_path: Path) -> None:
    """GUID, chassis serial, slot and tray come from the bytes, zero and high bytes included."""
    platform = chip_of(tray(), tmp_path).platform

    assert platform is not None
    assert (platform.ib_guid, platform.slot, platform.tray) == (GUID, 14, 4)
    assert platform.chassis_serial == "1820000000001"


def test_a_chassis_serial_that_is_no_text_spoils_only_itself(tmp_path: Path) -> None:
    """Slot and tray are read although the chassis serial is garbage."""
    raw = bytes(16) + b"\xff\xfe" + bytes(14) + bytes((14, 4, 1, 1, 2, 0, 0, 0))

    chip = chip_of(profile("gb200-tray").with_gpu(0, platform=junk(raw)), tmp_path)

    assert chip.unread["platform.chassis_serial"] == Unread(why=Why.NOT_TEXT, raw="fffe")
    assert chip.platform is not None
    assert (chip.platform.slot, chip.platform.module) == (14, 2)


def test_the_binding_leaves_the_gsp_version_as_bytes() -> None:
    """The GSP version comes as bytes, which JSON cannot hold."""
    with installed(MockLibrary(profile("hgx-h100"))):
        nvml.initialise()
        answer = pynvml.nvmlDeviceGetGspFirmwareVersion(nvml.device_handle(0))
        with pytest.raises(TypeError):
            json.dumps(answer)


def test_the_gsp_version_is_text(tmp_path: Path) -> None:
    """The record holds the version as text; garbage there is kept as hex."""
    machine = profile("hgx-h100")
    bad = machine.with_gpu(0, gsp_version=junk(b"\x80\x81"))
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()

    assert chip_of(machine, tmp_path / "a").gsp_version == "580.105.08"
    assert chip_of(bad, tmp_path / "b").unread["gsp_version"] == Unread(
        why=Why.NOT_TEXT, raw="8081"
    )


def test_the_binding_returns_some_errors_instead_of_raising_them() -> None:
    """Confidential-computing settings hand the code back and leaves zeros behind."""
    with installed(MockLibrary(profile("l40s"))):
        nvml.initialise()
        settings = pynvml.c_nvmlSystemConfComputeSettings_v1_t()
        code = pynvml.nvmlSystemGetConfComputeSettings(ctypes.byref(settings))

    assert (code, settings.multiGpuMode) == (3, 0)


def test_a_returned_error_is_not_taken_for_zeros(tmp_path: Path) -> None:
    """Settings that could not be read are absent with their code."""
    inventory = scan_in_process(profile("l40s"), tmp_path).inventory

    assert inventory.driver.confidential_multi_gpu is None
    assert inventory.unread["driver.confidential_multi_gpu"] == Unread(nvml=3)


def test_errors_of_the_binding_cannot_be_hashed_or_compared() -> None:
    """NVMLError has equality without a hash, and its equality fails on other objects."""
    error = pynvml.NVMLError(3)
    with pytest.raises(TypeError):
        hash(error)
    with pytest.raises(AttributeError):
        _ = error == 3


def test_reasons_are_plain_values() -> None:
    """What leaves the binding's module carries a code that can be compared and hashed."""
    with installed(MockLibrary(profile("t4"))):
        nvml.initialise()
        with pytest.raises(UnreadableError) as caught:
            nvml.number_of("nvmlDeviceGetHostVgpuMode", nvml.device_handle(0))

    assert caught.value.reason == Unread(nvml=3)
    assert hash(caught.value.reason) == hash(Unread(nvml=3))


@pytest.mark.parametrize("code", [19, 21, 25, 27, 30, 4242])
def test_codes_without_a_text_keep_their_number(tmp_path: Path, code: int) -> None:
    """Codes the binding has no words for are recorded as the number they are."""
    chip = chip_of(profile("t4").with_gpu(0, vbios=refuse(code)), tmp_path)

    assert chip.unread["vbios"] == Unread(nvml=code)


def test_the_mismatch_error_of_the_binding_is_no_nvml_error() -> None:
    """NVMLLibraryMismatchError escapes `except NVMLError`; here it is FunctionNotFound."""

    def unversioned() -> int:
        raise pynvml.NVMLLibraryMismatchError

    with pytest.raises(UnreadableError) as caught:
        nvml.ask(unversioned)

    assert not issubclass(pynvml.NVMLLibraryMismatchError, pynvml.NVMLError)
    assert caught.value.reason == Unread(nvml=13)


def test_pointers_into_an_old_library_are_dropped() -> None:
    """The binding caches pointers beyond a swap of its library; choosing one clears them."""
    with installed(MockLibrary(profile("t4"))):
        nvml.initialise()
        nvml.text_of("nvmlDeviceGetName", nvml.device_handle(0))
        nvml.use_library(MockLibrary(profile("l40s")))
        nvml.initialise()
        assert nvml.text_of("nvmlDeviceGetName", nvml.device_handle(0)) == "NVIDIA L40S"


def test_fabric_information_falls_back_to_the_older_struct() -> None:
    """A driver that refuses version 3 is asked for version 2."""

    class Older:
        """Refuses the newest fabric struct, as drivers before 580 do."""

        def __init__(self, library: MockLibrary) -> None:
            self._library = library

        def __getattr__(self, name: str) -> Export:
            """Return the function, older for fabric information."""
            found: Export = getattr(self._library, name)
            if name != "nvmlDeviceGetGpuFabricInfoV":
                return found

            def call(arguments: tuple[object, ...]) -> object:
                version = getattr(arguments[1], "_obj").version  # noqa: B009 - behind byref()
                return 25 if version >> 24 == 3 else found(*arguments)

            return Export(name, call)

    with installed(Older(MockLibrary(host_of("gb200-tray", seed="x")))):
        nvml.initialise()
        fabric = nvml.fabric(nvml.device_handle(0))

    assert (fabric.clique, fabric.state) == (2, 3)
