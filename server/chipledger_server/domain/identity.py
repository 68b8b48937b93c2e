"""Which chip a line of an inventory is: PDI before UUID, and never a serial number."""

from dataclasses import dataclass
from typing import Final, Literal

AliasKind = Literal["pdi", "uuid"]
MOST_BEFORE: Final = 8
"""Names a chip bore before that a change lists: a host may have made it bear any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the aliases of a line are known to name.

    Attributes:
        by_pdi: chip that the PDI names.
        by_uuid: chip that the UUID names.
        pdis_of_uuid: PDIs already known for the chip that the UUID names.
        uuids_of_pdi: UUIDs already known for the chip that the PDI names.
    """

    by_pdi: int | None = None
    by_uuid: int | None = None
    pdis_of_uuid: frozenset[str] = frozenset()
    uuids_of_pdi: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """Which chip it is, and what to remember.

    Attributes:
        chip: its id, or None for a chip never seen.
        learn: aliases that name it from now on.
        changed: in words, when a pair of PDI and UUID changed.
        before: the names in these words that earlier reports gave, maybe of another site.
    """

    chip: int | None
    learn: tuple[tuple[AliasKind, str], ...]
    changed: str | None = None
    before: tuple[str, ...] = ()


def resolve(pdi: str | None, uuid: str | None, known: Known) -> Resolved:
    """Return which chip has these identifiers; at least one must be given.

    A driver upgrade that adds the PDI leaves the chip the same one. A pair that changes does
    not: the PDI is fused into the chip, so it decides.
    """
    if pdi is not None and known.by_pdi is not None:
        learn = _unless(known.by_uuid, "uuid", uuid)
        others = tuple(sorted(known.uuids_of_pdi - {uuid})[:MOST_BEFORE])
        if uuid is None or uuid in known.uuids_of_pdi or not others:
            return Resolved(chip=known.by_pdi, learn=learn)
        changed = f"chip with PDI {pdi} now says {uuid}, before {', '.join(others)}"
        return Resolved(chip=known.by_pdi, learn=learn, changed=changed, before=others)
    if known.by_uuid is None:
        return Resolved(chip=None, learn=(*_unless(None, "pdi", pdi), *_unless(None, "uuid", uuid)))
    if pdi is None or not known.pdis_of_uuid:
        return Resolved(chip=known.by_uuid, learn=_unless(None, "pdi", pdi))
    others = tuple(sorted(known.pdis_of_uuid)[:MOST_BEFORE])
    return Resolved(
        chip=None,
        learn=(("pdi", pdi),),
        changed=f"{uuid} now has PDI {pdi}, before {', '.join(others)}",
        before=others,
    )


def _unless(
    taken: int | None, kind: AliasKind, value: str | None
) -> tuple[tuple[AliasKind, str], ...]:
    return () if taken is not None or value is None else ((kind, value),)
