"""The mock library under the real binding: marshalling, versions, refusals."""

import ctypes
from collections.abc import Iterator

import pynvml
import pytest

from chipledger_testing.nvml import Answer, Machine, MockLibrary, installed, junk, profile, refuse
from chipledger_testing.nvml.border import OverrunError


def first(machine: Machine) -> Iterator[object]:
    """Yield the handle of GPU 0 while the binding calls a library for `machine`."""
    with installed(MockLibrary(machine)):
        pynvml.nvmlInit()
        yield pynvml.nvmlDeviceGetHandleByIndex(0)


def code_of(error: pynvml.NVMLError) -> int:
    """Return the NVML code of an exception."""
    return int(error.value)


def test_identity_of_eight_chips_passes_the_real_binding() -> None:
    """UUID, serial, PDI, name and PCI address come through the binding unchanged."""
    machine = profile("hgx-h100")
    with installed(MockLibrary(machine)):
        pynvml.nvmlInit()
        handles = [pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(pynvml.nvmlDeviceGetCount())]
        uuids = [pynvml.nvmlDeviceGetUUID(handle) for handle in handles]
        pdis = [pynvml.nvmlDeviceGetPdi(handle) for handle in handles]
        buses = [pynvml.nvmlDeviceGetPciInfo(handle).busId for handle in handles]
        parts = {pynvml.nvmlDeviceGetBoardPartNumber(handle) for handle in handles}

    assert uuids == [gpu.answer("uuid").value for gpu in machine.gpus]
    assert pdis == list(range(1, 9))
    assert buses[0] == "00000000:53:00.0"
    assert parts == {"692-2G520-0200-000", "965-2G520-A800-000"}


def test_a_null_handle_index_past_the_end_is_refused() -> None:
    """An index nobody has is InvalidArgument, as the header says."""
    with installed(MockLibrary(profile("t4"))):
        pynvml.nvmlInit()
        with pytest.raises(pynvml.NVMLError) as caught:
            pynvml.nvmlDeviceGetHandleByIndex(1)

    assert code_of(caught.value) == 2


def test_nothing_answers_before_init() -> None:
    """A call before nvmlInit is Uninitialized."""
    with installed(MockLibrary(profile("t4"))), pytest.raises(pynvml.NVMLError) as caught:
        pynvml.nvmlDeviceGetCount()

    assert code_of(caught.value) == 1


def test_an_old_driver_lacks_newer_functions() -> None:
    """A 535 library has no PDI and no platform information: FunctionNotFound, not an answer."""
    machine = profile("hgx-h100").with_system(driver_version="535.104.05")
    platform = ctypes.byref(pynvml.c_nvmlPlatformInfo_v2_t())
    for handle in first(machine):
        for function, rest in (("Pdi", ()), ("PlatformInfo", (platform,))):
            with pytest.raises(pynvml.NVMLError) as caught:
                getattr(pynvml, f"nvmlDeviceGet{function}")(handle, *rest)
            assert code_of(caught.value) == 13
        assert pynvml.nvmlDeviceGetModuleId(handle, ctypes.c_uint()) == 7


def test_a_function_can_be_taken_away() -> None:
    """`absent_functions` removes a symbol whatever the driver's age."""
    for handle in first(profile("t4").without_functions("nvmlDeviceGetSerial")):
        with pytest.raises(pynvml.NVMLError) as caught:
            pynvml.nvmlDeviceGetSerial(handle)
        assert code_of(caught.value) == 13


def test_a_wrong_struct_version_is_refused() -> None:
    """A version word the library does not know is ArgumentVersionMismatch."""
    for handle in first(profile("hgx-b200")):
        info = pynvml.c_nvmlPlatformInfo_v2_t()
        info.version = 0x0300002C
        with pytest.raises(pynvml.NVMLError) as caught:
            pynvml.nvmlDeviceGetPlatformInfo(handle, ctypes.byref(info))
        assert code_of(caught.value) == 25


def test_a_short_buffer_is_refused() -> None:
    """A buffer shorter than text and terminator is InsufficientSize, and stays untouched."""
    library = MockLibrary(profile("hgx-h100"))
    with installed(library):
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        buffer = ctypes.create_string_buffer(13)
        code = library.nvmlDeviceGetSerial(handle, buffer, ctypes.c_uint(13))

    assert code == 7
    assert buffer.raw == bytes(13)


def test_less_memory_than_the_struct_is_found_out() -> None:
    """Handing over less memory than the C struct needs is corruption, and is not tolerated."""
    library = MockLibrary(profile("hgx-h100"))
    with installed(library):
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        with pytest.raises(OverrunError):
            library.nvmlDeviceGetMemoryInfo(handle, ctypes.byref(ctypes.c_uint()))


def test_a_lost_gpu_refuses_its_handle() -> None:
    """A GPU lost at its handle answers GpuIsLost there and keeps its place in the count."""
    with installed(MockLibrary(profile("hgx-h100").with_gpu(3, handle=refuse(15)))):
        pynvml.nvmlInit()
        assert pynvml.nvmlDeviceGetCount() == 8
        with pytest.raises(pynvml.NVMLError) as caught:
            pynvml.nvmlDeviceGetHandleByIndex(3)

    assert code_of(caught.value) == 15


def test_a_gpu_can_be_lost_half_way() -> None:
    """After its number of calls a GPU answers GpuIsLost to everything."""
    for handle in first(profile("t4").with_gpu(0, lost_after_calls=2)):
        assert pynvml.nvmlDeviceGetSerial(handle)
        assert pynvml.nvmlDeviceGetUUID(handle)
        for ask in (pynvml.nvmlDeviceGetUUID, pynvml.nvmlDeviceGetName):
            with pytest.raises(pynvml.NVMLError) as caught:
                ask(handle)
            assert code_of(caught.value) == 15


def test_a_vanished_gpu_is_neither_counted_nor_listed() -> None:
    """A GPU that NVML does not know any more shifts the indices of the others."""
    machine = profile("hgx-h100").with_gpu(0, in_nvml=0)
    with installed(MockLibrary(machine)):
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
        uuid = pynvml.nvmlDeviceGetUUID(pynvml.nvmlDeviceGetHandleByIndex(0))

    assert (count, uuid) == (7, machine.gpus[1].answer("uuid").value)


def test_raw_bytes_reach_the_binding_as_they_are() -> None:
    """Bytes that are not UTF-8 break the binding's strict decoding, as on real drivers."""
    for handle in first(profile("t4").with_gpu(0, serial=junk(b"\xff\xfe\x80"))):
        with pytest.raises(UnicodeDecodeError):
            pynvml.nvmlDeviceGetSerial(handle)


def test_delays_are_told_and_not_slept() -> None:
    """A delay goes to the injected function, in milliseconds, before the answer."""
    told: list[int] = []
    machine = profile("t4").with_gpu(0, serial=Answer(value="1", delay_ms=45_000))
    with installed(MockLibrary(machine, delay=told.append)):
        pynvml.nvmlInit()
        pynvml.nvmlDeviceGetSerial(pynvml.nvmlDeviceGetHandleByIndex(0))

    assert told == [45_000]


def test_the_pointer_cache_does_not_outlive_its_library() -> None:
    """After a swap the binding calls the new library, not cached pointers into the old one."""
    for name in ("t4", "l40s"):
        with installed(MockLibrary(profile(name))):
            pynvml.nvmlInit()
            found = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0))
        assert found == profile(name).gpus[0].answer("name").value
    assert pynvml.nvmlLib is None


def test_platform_information_has_the_layout_of_the_header() -> None:
    """Chassis, slot, tray and GUID stand at the offsets of nvml.h."""
    for handle in first(profile("gb200-tray")):
        info = pynvml.c_nvmlPlatformInfo_v2_t()
        pynvml.nvmlDeviceGetPlatformInfo(handle, ctypes.byref(info))
        raw = bytes(info)
        assert raw[4:12] == (1).to_bytes(8, "big")
        assert raw[20:36] == b"1820000000001\0\0\0"
        assert tuple(raw[36:41]) == (14, 4, 1, 1, 2)


@pytest.mark.parametrize("kind", ["c_nvmlGpuFabricInfo_v2_t", "c_nvmlGpuFabricInfo_v3_t"])
def test_fabric_information_answers_both_versions(kind: str) -> None:
    """Cluster, clique and state come back in the version that was asked for."""
    for handle in first(profile("gb200-tray")):
        info = getattr(pynvml, kind)()
        pynvml.nvmlDeviceGetGpuFabricInfoV(handle, ctypes.byref(info))
        assert bytes(info.clusterUuid).hex() == "00000001000000000000000000000001"
        assert (info.cliqueId, info.state, info.status) == (2, 3, 0)


def test_field_values_carry_a_code_each() -> None:
    """One unsupported field does not spoil the others of the same call."""
    for handle in first(profile("hgx-h100")):
        recovery, links, unknown = pynvml.nvmlDeviceGetFieldValues(handle, [230, 91, 999])
        assert (recovery.nvmlReturn, recovery.value.uiVal) == (0, 0)
        assert (links.nvmlReturn, links.value.uiVal) == (0, 18)
        assert unknown.nvmlReturn == 3


def test_mig_devices_leave_holes_in_their_indices() -> None:
    """An index without a MIG device is NotFound; the next may be taken."""
    child = {"uuid": Answer(value="MIG-1"), "gpu_instance": Answer(value=9)}
    machine = profile("a100").with_mig(0, [(2, child)])
    for handle in first(machine):
        with pytest.raises(pynvml.NVMLError) as caught:
            pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, 0)
        assert code_of(caught.value) == 6
        mig = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, 2)
        assert pynvml.nvmlDeviceGetUUID(mig) == "MIG-1"
        assert pynvml.nvmlDeviceGetGpuInstanceId(mig) == 9


def test_serial_lookup_refuses_a_shared_serial() -> None:
    """Two chips of one board make the lookup by serial an InvalidArgument."""
    machine = profile("gb200-tray")
    with installed(MockLibrary(machine)):
        pynvml.nvmlInit()
        with pytest.raises(pynvml.NVMLError) as caught:
            pynvml.nvmlDeviceGetHandleBySerial(machine.gpus[0].answer("serial").value)
        one, two, three = (pynvml.nvmlDeviceGetHandleByIndex(i) for i in range(3))
        pairs = (pynvml.nvmlDeviceOnSameBoard(one, two), pynvml.nvmlDeviceOnSameBoard(two, three))

    assert code_of(caught.value) == 2
    assert pairs == (True, False)


def test_most_read_functions_of_the_binding_answer_for_an_h100() -> None:
    """Every argument-free getter of one handle ends in an answer or an NVML code."""
    asked = 0
    for handle in first(profile("hgx-h100")):
        for name in sorted(dir(pynvml)):
            if not name.startswith("nvmlDeviceGet"):
                continue
            try:
                getattr(pynvml, name)(handle)
            except (pynvml.NVMLError, pynvml.NVMLLibraryMismatchError, TypeError):
                continue
            asked += 1

    assert asked >= 40
