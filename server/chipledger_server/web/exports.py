"""Handing out whole collections as files, written while they are sent."""

from collections.abc import Iterable, Iterator
from typing import Final, Literal

from litestar.response import Stream

from chipledger_server.usecases.access import Principal, demand_site
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.showing.trails import (
    ExportHead,
    Filters,
    as_csv,
    as_json,
    asked,
    whole,
)
from chipledger_server.usecases.times import time_text
from chipledger_server.web.context import Parts

CSV: Final = "text/csv; charset=utf-8"
JSON: Final = "application/json"
_CHUNK_BYTES: Final = 64 * 1024


def exported(
    who: Principal,
    parts: Parts,
    times: When,
    filters: Filters,
    *,
    form: Literal["csv", "json"] = "json",
) -> Stream:
    """Return findings with everything that happened to them, as a file.

    Raises:
        Refusal: `invalid-parameter`, `outside-scope`; before anything is sent.
    """
    if filters.site:
        demand_site(who, filters.site)
    with parts.look(who, times) as look:
        question = asked(look, filters)
    head = _head(who, parts, times, filters)

    def written() -> Iterator[bytes]:
        with parts.look(who, times) as look:
            write = as_csv if form == "csv" else as_json
            yield from _in_chunks(write(head, whole(look, question)))

    name = f"findings-{time_text(times.as_of_ms)[:10]}.{form}"
    return Stream(
        written,
        media_type=CSV if form == "csv" else JSON,
        headers={"content-disposition": f'attachment; filename="{name}"'},
    )


def _head(who: Principal, parts: Parts, times: When, filters: Filters) -> ExportHead:
    scope = "every site" if who.sites is None else ", ".join(sorted(who.sites))
    said = {
        "severity": filters.severity,
        "type": filters.kind,
        "site": filters.site,
        "host": filters.host,
        "owner": filters.owner,
        "older": filters.older,
        "late": "true" if filters.late else "",
    }
    return ExportHead(
        population=f"all findings about {scope}",
        state=filters.state,
        filters={name: value for name, value in said.items() if value},
        as_of_ms=times.as_of_ms,
        known_at_ms=times.known_at_ms,
        software=parts.results.build,
        collector=parts.name,
    )


def _in_chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        held += piece
        if len(held) >= _CHUNK_BYTES:
            yield bytes(held)
            held.clear()
    if held:
        yield bytes(held)
