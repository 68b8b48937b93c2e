"""What every question of the API has: two times, a place in a collection, and problems."""

import difflib
import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

from litestar import Request
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter

from chipledger_evidence.answers import Problem
from chipledger_server.usecases.access import Principal
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.usecases.showing.pages import DEFAULT_LIMIT, MOST_LIMIT, Place, cursor
from chipledger_server.usecases.times import when
from chipledger_server.web.context import Paging, Parts
from chipledger_server.web.problems import MEDIA_TYPE

ApiRequest = Request[Principal, Any, State]
T = TypeVar("T")
_TYPE_OF_PART: Final = re.compile(r":[a-z]+(?=\})")

AsOf = Annotated[
    str | None,
    QueryParameter(
        description="What was true at: a day (its end, UTC), an RFC 3339 time, or milliseconds."
    ),
]
KnownAt = Annotated[
    str | None,
    QueryParameter(
        description="What was known at, written as `as_of`; what came later plays no part."
    ),
]
Under = Annotated[
    str | None,
    QueryParameter(
        name="rules",
        description="Under this rule set: ID or ID@VERSION; the adopted one if left out.",
    ),
]
Cursor = Annotated[
    str | None, QueryParameter(description="`next` of the page before; it brings its times along.")
]
Limit = Annotated[int, QueryParameter(ge=1, le=MOST_LIMIT, description="Items on a page at most.")]


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """Return the declaration of the problem documents a route may answer with."""
    return {
        status: ResponseSpec(
            data_container=Problem,
            media_type=MEDIA_TYPE,
            description="Problem document (RFC 9457); docs/ERRORS.md lists the codes.",
            generate_examples=False,
        )
        for status in statuses
    }


LIST: Final = problems(400, 401)
ONE: Final = problems(400, 401, 404)
SITE: Final = problems(400, 401, 403, 404)


def refuse_unknown(request: ApiRequest) -> None:
    """Do nothing if the address takes every query parameter that is given.

    What nobody reads would otherwise be answered with everything, and look like an answer.

    Raises:
        Refusal: `unknown-parameter`.
    """
    path = _TYPE_OF_PART.sub("", request.scope["path_template"])
    known: frozenset[str] = request.app.state.parameters.get(path, frozenset())
    for name in request.query_params:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            takes = f"it takes {', '.join(sorted(known))}" if known else "it takes none"
            raise Refusal(
                Code.UNKNOWN_PARAMETER,
                f"{path} takes no parameter {name!r}",
                hint=f"did you mean {near[0]}? {takes}" if near else takes,
            )


def provide_paging(
    cursor: Cursor = None,
    limit: Limit = DEFAULT_LIMIT,
    as_of: AsOf = None,
    known_at: KnownAt = None,
) -> Paging:
    """Return which part of a collection is asked for."""
    return Paging(cursor=cursor, limit=limit, as_of=as_of, known_at=known_at)


def provide_times(
    parts: NamedDependency[Parts], as_of: AsOf = None, known_at: KnownAt = None
) -> When:
    """Return the two times of a question."""
    return when(as_of, known_at, now_ms=parts.now_ms())


def next_cursor(
    place: Place, items: Sequence[T], limit: int, key: Callable[[T], tuple[int | str, ...]]
) -> str | None:
    """Return the cursor behind the last item of a full page, or None at the end."""
    if len(items) < limit:
        return None
    return cursor(
        Place(
            collection=place.collection,
            as_of_ms=place.as_of_ms,
            known_at_ms=place.known_at_ms,
            after=key(items[-1]),
        )
    )
