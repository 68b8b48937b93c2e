"""A population from what the collector's API says of a site's devices, as it lies in files."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from chipledger_audit.gpu_files import FilesError
from chipledger_book.counts.population import Population, Unit, in_order
from chipledger_book.terms import Millis

SAMPLED: Final = frozenset({"present", "silent"})
"""What stands for a chip that ought to be there: one that answers, and one that fell silent."""

_SOURCE: Final = "devices of the site, by the collector's API"


class _Device(msgspec.Struct):
    """The members of a device that name it; the API has more."""

    place: int
    chip: int | None
    standing: str
    grade: str
    sku: str | None
    uuid: str | None
    pdi: str | None
    serial: str | None


class _Item(msgspec.Struct):
    host: str
    device: _Device


class _Page(msgspec.Struct):
    """One page of ``/api/v1/sites/{site}/devices``."""

    items: Annotated[list[_Item], msgspec.Meta(max_length=1_000_000)]
    next: str | None
    as_of_ms: Millis
    known_at_ms: Millis


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundPopulation:
    """A population, and how many devices are no part of it, by what they count as."""

    population: Population
    left_out: Counter[str]


def population_of(site: str, pages: Iterable[bytes]) -> FoundPopulation:
    """Return the population in the pages of one walk over a site's devices.

    Raises:
        FilesError: the pages are none, of several times, or not all there are.
        BookError: `population-unit-repeated`.
    """
    try:
        read = [msgspec.json.decode(page, type=_Page) for page in pages]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FilesError(f"no page of a site's devices: {error}") from error
    if len({(page.as_of_ms, page.known_at_ms) for page in read}) != 1:
        raise FilesError("give the pages of one walk: they carry the same two times")
    if [page.next is None for page in read] != [False] * (len(read) - 1) + [True]:
        raise FilesError("give all pages of the walk in order; the last one has no `next`")
    items = [item for page in read for item in page.items]
    try:
        population = msgspec.convert(
            {
                "format": "chipledger-population-1",
                "site": site,
                "as_of_ms": read[0].as_of_ms,
                "known_at_ms": read[0].known_at_ms,
                "source": _SOURCE,
                "units": [_unit(item) for item in items if item.device.standing in SAMPLED],
            },
            Population,
        )
    except msgspec.ValidationError as error:
        raise FilesError(f"no population: {error}") from error
    standings = Counter(item.device.standing for item in items)
    left_out = Counter({name: n for name, n in standings.items() if name not in SAMPLED})
    return FoundPopulation(population=in_order(population), left_out=left_out)


def _unit(item: _Item) -> dict[str, str]:
    """Return one device as a unit; a serial that no board bears is left out."""
    device = item.device
    name = f"{item.host}/{device.place}" if device.chip is None else f"chip-{device.chip}"
    given = {
        "id": name,
        "grade": device.grade,
        "sku": device.sku,
        "host": item.host,
        "pdi": device.pdi,
        "uuid": device.uuid,
        "board": device.serial,
    }
    return {member: value for member, value in given.items() if value and _fits(member, value)}


def _fits(member: str, value: str) -> bool:
    """Tell whether a driver's text is such a name; what is needed must fit or be refused later."""
    if member not in _NAMES:
        return True
    try:
        msgspec.convert(value, _NAMES[member])
    except msgspec.ValidationError:
        return False
    return True


_NAMES: Final = {
    field.name: field.type
    for field in msgspec.structs.fields(Unit)
    if field.name in {"pdi", "uuid", "board"}
}
