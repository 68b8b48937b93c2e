"""What an inventory is compared by: the library that answers, and what is not offered."""

from typing import Any

import pytest
from msgspec.structs import replace

from chipledger_evidence.inventory import Inventory, Unread, Why
from chipledger_server.domain.traits import (
    Build,
    build_of,
    is_odd,
    suspicions,
    traits_of,
    went_missing,
)
from chipledger_testing.hosts import chip_of, inventory_of

GOOD = inventory_of(chip_of("a", 0), chip_of("a", 1))


def with_library(**changes: object) -> Inventory:
    """Return a good inventory whose library is another."""
    library = GOOD.provider.library
    if library is None:
        raise AssertionError
    provider = replace(GOOD.provider, library=replace(library, **changes))
    return replace(GOOD, provider=provider)


def lacking(inventory: Inventory, why: Unread, **fields: Any) -> Inventory:  # noqa: ANN401
    """Return an inventory whose second chip lacks fields for a reason, with others changed."""
    first, second = inventory.chips
    gone = {name: why for name, value in fields.items() if value is None}
    second = replace(second, unread={**second.unread, **gone}, **fields)
    return inventory_of(first, second)


def test_the_driver_s_own_library_is_not_suspect() -> None:
    """Root's, at the package's place, and nothing before it."""
    assert suspicions(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"path": "/tmp/libnvidia-ml.so.1"}, "/tmp/libnvidia-ml.so.1"),  # noqa: S108 - what a cheat has
        ({"path": "/usr/lib/x86_64-linux-gnu/libmock.so"}, "libmock"),
        ({"path": "/usr/lib/../../home/libnvidia-ml.so.1"}, "home"),
        ({"owner_uid": 1000}, "1000"),
        ({"mode": 0o775}, "0775"),
        ({"mode": 0o757}, "0757"),
    ],
)
def test_a_library_that_is_not_the_package_s_is_suspect(
    changes: dict[str, object], word: str
) -> None:
    """Each reason says what was seen."""
    (reason,) = suspicions(with_library(**changes))
    assert word in reason


def test_a_library_of_which_nothing_is_known_is_not_suspect() -> None:
    """What an older agent does not say accuses nobody."""
    assert suspicions(with_library(owner_uid=None, mode=None)) == []
    assert suspicions(replace(GOOD, provider=replace(GOOD.provider, library=None))) == []


def test_a_mount_before_the_kernels_files_is_a_reason() -> None:
    """As a container's toolkit makes one, or whoever shows a /proc of his own."""
    provider = replace(GOOD.provider, overlaid=("/proc/driver/nvidia",))
    assert suspicions(replace(GOOD, provider=provider)) == [
        "other mounts stand before the kernel's at /proc/driver/nvidia"
    ]


def test_a_preload_and_a_half_loaded_driver_are_reasons() -> None:
    """Both at once are two."""
    provider = replace(GOOD.provider, preload=True)
    driver = replace(GOOD.driver, kernel_module="999.1")
    assert len(suspicions(replace(GOOD, provider=provider, driver=driver))) == 2


@pytest.mark.parametrize(
    ("mine", "others", "odd"),
    [(1, [], False), (1, [2], False), (1, [3], True), (2, [5, 1], False), (2, [6], True)],
)
def test_a_build_is_odd_where_another_is_the_rule(
    mine: int,
    others: list[int],
    odd: bool,  # noqa: FBT001 - a table
) -> None:
    """Three hosts to one."""
    assert is_odd(mine, others) is odd


def test_builds_are_compared_among_like_hosts() -> None:
    """Same driver, same model."""
    build = build_of(GOOD)
    assert build is not None
    assert (build.driver, build.model) == ("570.124.06", "233010de")
    assert build_of(with_library(sha256=None)) is None
    assert build_of(inventory_of()) is None
    assert isinstance(build, Build)


@pytest.mark.parametrize("code", [3, 13])
def test_a_value_that_turns_unsupported_went_missing(code: int) -> None:
    """NOT_SUPPORTED and FUNCTION_NOT_FOUND say that it is not offered."""
    now = lacking(GOOD, Unread(nvml=code), serial=None)
    (words,) = went_missing(now, [GOOD])
    assert words == "serial of 0000:3b:00.0"


@pytest.mark.parametrize("why", [Unread(nvml=15), Unread(why=Why.TIMEOUT)])
def test_a_value_that_could_not_be_read_has_not_gone_missing(why: Unread) -> None:
    """A lost chip or a deadline is another finding."""
    assert went_missing(lacking(GOOD, why, serial=None), [GOOD]) == []


def test_what_was_never_read_cannot_go_missing() -> None:
    """A chip that never offered it, and another chip in the slot."""
    never = lacking(GOOD, Unread(nvml=15), serial=None)
    assert went_missing(lacking(GOOD, Unread(nvml=3), serial=None), [never]) == []
    other = inventory_of(GOOD.chips[0], chip_of("b", 1))
    assert went_missing(lacking(other, Unread(nvml=3), serial=None), [GOOD]) == []


def test_a_value_is_looked_for_behind_a_failed_read() -> None:
    """A timeout in between does not make it forgotten."""
    failed = lacking(GOOD, Unread(why=Why.TIMEOUT), serial=None)
    now = lacking(GOOD, Unread(nvml=3), serial=None)
    assert went_missing(now, [failed, GOOD]) == ["serial of 0000:3b:00.0"]


def test_another_driver_may_offer_less() -> None:
    """An upgrade or a downgrade takes values away."""
    now = lacking(GOOD, Unread(nvml=3), serial=None)
    now = replace(now, driver=replace(now.driver, version="999.1"))
    assert went_missing(now, [GOOD]) == []


def test_an_identity_that_turns_unsupported_went_missing() -> None:
    """The chip is known by its slot then."""
    now = lacking(GOOD, Unread(nvml=3), pdi=None, uuid=None)
    assert went_missing(now, [GOOD]) == ["pdi of 0000:3b:00.0", "uuid of 0000:3b:00.0"]


def test_nested_and_host_wide_values_are_looked_at() -> None:
    """By the dotted name under which their reason stands."""
    limits = replace(GOOD.chips[1].limits, power_max=None)  # type: ignore[type-var]
    now = lacking(GOOD, Unread(nvml=3), limits=limits)
    second = replace(now.chips[1], unread={"limits.power_max": Unread(nvml=3)})
    now = replace(now, chips=(now.chips[0], second), unread={"device_count": Unread(nvml=3)})
    now = replace(now, device_count=None)
    assert went_missing(now, [GOOD]) == [
        "device_count of the host",
        "limits.power_max of 0000:3b:00.0",
    ]


def test_traits_change_with_what_they_stand_for_and_with_nothing_else() -> None:
    """An equal inventory has equal traits."""
    same = inventory_of(chip_of("a", 0), chip_of("a", 1))
    assert traits_of(same) == traits_of(GOOD)
    moved = replace(GOOD, hardware="another")
    assert traits_of(moved) == traits_of(GOOD)
    assert traits_of(with_library(mode=0o777)).library != traits_of(GOOD).library
    assert traits_of(inventory_of(GOOD.chips[0])).names != traits_of(GOOD).names
