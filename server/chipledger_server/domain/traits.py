"""Traits of an inventory that are compared with the ones before: library, names, lacking fields.

A trait says something only when it changes, so a host's state keeps their digests and no more:
the inventory before is read again when one differs.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from chipledger_evidence.inventory import Chip, Inventory, Reasons, Status

_UNSUPPORTED: Final = frozenset({3, 13})  # nvml.h: NOT_SUPPORTED, FUNCTION_NOT_FOUND
_WRITABLE_BY_OTHERS: Final = 0o022
_LIBRARY: Final = "libnvidia-ml.so"
DRIVER_FOLDERS: Final = (
    "/usr/lib/x86_64-linux-gnu/",  # Debian, Ubuntu
    "/usr/lib/aarch64-linux-gnu/",
    "/usr/lib64/",  # Red Hat, SUSE, Amazon
    "/usr/lib/",  # NVIDIA's installer where there is no /usr/lib64
    "/lib/x86_64-linux-gnu/",
    "/lib/aarch64-linux-gnu/",
    "/lib64/",
    "/run/nvidia/driver/usr/lib/",  # GPU operator's driver container
    "/run/nvidia/driver/usr/lib64/",
    "/usr/local/nvidia/lib64/",  # Google's container-optimised system
    "/run/opengl-driver/lib/",  # NixOS
    "/nix/store/",
)
"""Where driver packages put the library; the list is not proof, the digest says more."""
RATIO: Final = 3
"""So many hosts show another library for each that shows this one: then it is the odd one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """Digests of what is compared; they mean nothing outside this process.

    Attributes:
        names: the chips' names in their order, their boards' serials with them.
        lacking: what the driver says is not offered, chip by chip.
        library: the library that answered, and what could stand before it.
        driver: the driver's version itself.
    """

    names: int
    lacking: int
    library: int
    driver: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Hosts with the same driver on the same model ought to show the same library.

    Attributes:
        driver: version of the driver.
        model: PCI device id of the first chip; machines of another processor hold other models.
        sha256: digest of the library.
    """

    driver: str
    model: str
    sha256: str


def traits_of(inventory: Inventory) -> Traits:
    """Return the traits of an inventory."""
    return Traits(
        names=hash(tuple((chip.uuid, chip.pdi, chip.serial) for chip in inventory.chips)),
        lacking=hash(frozenset(lacking(inventory))),
        library=hash((inventory.provider, inventory.driver)),
        driver=inventory.driver.version,
    )


def lacking(inventory: Inventory) -> Iterator[tuple[str, str]]:
    """Yield what the driver says is not offered: of what, and which field."""
    yield from (("the host", path) for path in _unsupported(inventory.unread))
    for chip in inventory.chips:
        place = _place(chip)
        yield from ((place, path) for path in _unsupported(chip.unread))


def went_missing(inventory: Inventory, before: Sequence[Inventory]) -> list[str]:
    """Return in words what is said not to be offered and was read before by the same driver.

    Args:
        inventory: the newest one.
        before: earlier ones of the same host, the newest first.
    """
    same = [one for one in before if one.driver.version == inventory.driver.version]
    if not same or inventory.status is not Status.OK:
        return []
    gone = set(lacking(inventory)) - set(lacking(same[0]))
    chips = {_place(chip): chip for chip in inventory.chips}
    return sorted(
        f"{path} of {place}"
        for place, path in gone
        if any(_was_read(one, chips.get(place), path) for one in same)
    )


def suspicions(inventory: Inventory) -> list[str]:
    """Return in words what speaks against the library that answered."""
    provider, driver = inventory.provider, inventory.driver
    library, said = provider.library, []
    if provider.preload:
        said.append("another library can be loaded before it")
    if provider.overlaid:
        said.append(f"other mounts stand before the kernel's at {', '.join(provider.overlaid)}")
    if library is not None:
        folder, _, name = library.path.rpartition("/")
        known = f"{folder}/".startswith(DRIVER_FOLDERS) and "/../" not in library.path
        if not known or not name.startswith(_LIBRARY):
            said.append(f"it is {library.path}")
        if library.owner_uid:
            said.append(f"it belongs to user {library.owner_uid}")
        if library.mode is not None and library.mode & _WRITABLE_BY_OTHERS:
            said.append(f"others than its owner may write it (mode {library.mode:04o})")
    if driver.version and driver.kernel_module and driver.version != driver.kernel_module:
        said.append(f"it speaks for driver {driver.version}, loaded is {driver.kernel_module}")
    return said


def build_of(inventory: Inventory) -> Build | None:
    """Return which build of the library a host shows, or None where it does not say."""
    library, version = inventory.provider.library, inventory.driver.version
    models = (chip.pci.device for chip in inventory.chips if chip.pci is not None)
    model = next(models, None)
    if library is None or library.sha256 is None or version is None or model is None:
        return None
    return Build(driver=version, model=model, sha256=library.sha256)


def is_odd(mine: int, others: Iterable[int]) -> bool:
    """Tell whether so few hosts show a build that another one is the rule.

    Args:
        mine: hosts that show this build, this one included.
        others: hosts that show each of the other builds.
    """
    return max(others, default=0) >= RATIO * mine


def _unsupported(reasons: Reasons) -> Iterator[str]:
    return (path for path, why in reasons.items() if why.nvml in _UNSUPPORTED)


def _place(chip: Chip) -> str:
    return f"chip {chip.index}" if chip.pci is None else chip.pci.bdf


def _was_read(inventory: Inventory, chip: Chip | None, path: str) -> bool:
    """Tell whether an earlier inventory has a value there, for the same chip or the host."""
    if chip is None:
        return _value(inventory, path) is not None
    return any(
        _value(one, path) is not None
        for one in inventory.chips
        if _place(one) == _place(chip) and (one.uuid == chip.uuid or None in {one.uuid, chip.uuid})
    )


def _value(of: object, path: str) -> object:
    for part in path.split("."):
        of = getattr(of, part, None)
    return of
