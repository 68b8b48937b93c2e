"""Which chip of the inventory a certificate chain names."""

from chipledger_evidence.gpu.chain import CHIP, read_chain
from chipledger_evidence.gpu.errors import GpuEvidenceError
from chipledger_evidence.inventory import Inventory

_PDI_BYTES = 8


def pdi_of(chain: bytes) -> str | None:
    """Return the PDI in the chip's certificate, 16 lower-case hex digits; nothing is verified.

    None for a chain that cannot be read: whether it is any good is the collector's to say.
    """
    try:
        serial = read_chain(chain)[CHIP].serial
    except GpuEvidenceError:
        return None
    return serial[-_PDI_BYTES:].hex() if len(serial) == _PDI_BYTES + 1 else None


def chip_of(chain: bytes, inventory: Inventory) -> int | None:
    """Return the index of the chip that the chain names by its PDI; None when none reported it."""
    return chip_with(pdi_of(chain), inventory)


def chip_with(pdi: str | None, inventory: Inventory) -> int | None:
    """Return the index of the chip whose driver reports `pdi`, if any does."""
    if pdi is None:
        return None
    places = (place for place, chip in enumerate(inventory.chips) if chip.pdi == pdi)
    return next(places, None)
