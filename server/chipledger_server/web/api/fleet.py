"""Hosts and chips, wherever they are."""

from typing import Annotated

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from chipledger_server.usecases.reading import When
from chipledger_server.usecases.showing.chips import chip_detail, list_chips
from chipledger_server.usecases.showing.hosts import chain, host_detail, list_hosts
from chipledger_server.usecases.views import (
    ChainPage,
    ChipDetail,
    ChipsPage,
    HostDetail,
    HostsPage,
)
from chipledger_server.web.api.asking import LIST, ONE, ApiRequest, next_cursor
from chipledger_server.web.context import Paging, Parts

Name = Annotated[
    str | None,
    QueryParameter(max_length=64, description="Only with this PDI, UUID or serial."),
]
_BEYOND_EVERY_SEQ = 2**53


@get("/hosts", sync_to_thread=True, responses=LIST)
def hosts(
    request: ApiRequest, parts: NamedDependency[Parts], page: NamedDependency[Paging]
) -> HostsPage:
    """Return every host you may see, by id."""
    place = page.place("hosts", parts.now_ms(), first=("",))
    with parts.look(request.user, place.when) as look:
        items = list_hosts(look, after=str(place.after[0]), limit=page.limit)
    return HostsPage(
        items=tuple(items),
        next=next_cursor(place, items, page.limit, lambda host: (host.id,)),
        as_of_ms=place.as_of_ms,
        known_at_ms=place.known_at_ms,
    )


@get("/hosts/{host_id:str}", sync_to_thread=True, responses=ONE)
def host(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    host_id: FromPath[str],
    times: NamedDependency[When],
) -> HostDetail:
    """Return one host: its chain, its keys, its three views and what it holds."""
    with parts.look(request.user, times) as look:
        return host_detail(look, host_id)


@get("/hosts/{host_id:str}/chain", sync_to_thread=True, responses=ONE)
def host_chain(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    host_id: FromPath[str],
    page: NamedDependency[Paging],
) -> ChainPage:
    """Return the tokens of a host, newest number first."""
    place = page.place("chain", parts.now_ms(), first=(_BEYOND_EVERY_SEQ,))
    before = int(place.after[0])
    with parts.look(request.user, place.when) as look:
        items = chain(look, host_id, before=before, limit=page.limit)
    return ChainPage(
        items=tuple(items),
        next=next_cursor(place, items, page.limit, lambda link: (link.seq,)),
        as_of_ms=place.as_of_ms,
        known_at_ms=place.known_at_ms,
    )


@get("/chips", sync_to_thread=True, responses=LIST)
def chips(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    page: NamedDependency[Paging],
    name: Name = None,
) -> ChipsPage:
    """Return every chip you may see, in the order they were first seen."""
    place = page.place("chips", parts.now_ms(), first=(0,))
    with parts.look(request.user, place.when) as look:
        items = list_chips(look, after=int(place.after[0]), limit=page.limit, name=name)
    return ChipsPage(
        items=tuple(items),
        next=next_cursor(place, items, page.limit, lambda chip: (chip.id,)),
        as_of_ms=place.as_of_ms,
        known_at_ms=place.known_at_ms,
    )


@get("/chips/{chip_id:int}", sync_to_thread=True, responses=ONE)
def chip(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    chip_id: FromPath[int],
    times: NamedDependency[When],
) -> ChipDetail:
    """Return one chip: its names, where it was seen, and who else claims it."""
    with parts.look(request.user, times) as look:
        return chip_detail(look, chip_id)
