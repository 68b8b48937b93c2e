"""Entering many events at once: `POST /api/v1/ledger/imports`."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import QueryParameter, RawBody

from chipledger_book.imports.csv_rows import MAX_IMPORT_BYTES, read_csv
from chipledger_book.imports.drafts import Reading, RowProblem
from chipledger_book.imports.json_rows import read_json
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.usecases.book.entering import Imported, by_principal, enter_all
from chipledger_server.usecases.words import pieces
from chipledger_server.web.api.asking import ApiRequest, problems
from chipledger_server.web.context import Parts
from chipledger_server.web.problems import MEDIA_TYPE, title_of

READERS: Final[Mapping[str, Callable[[bytes], Reading]]] = {
    "text/csv": read_csv,
    "application/json": read_json,
    "application/x-ndjson": read_json,
}
"""Media type of a body → how it is read."""

DryRun = Annotated[
    bool, QueryParameter(description="Say what would happen, row by row; write nothing.")
]


class ImportRefused(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Problem document (RFC 9457) of a file of which nothing was entered.

    Attributes:
        type: names the code.
        title: the code as text.
        status: HTTP status.
        code: code of the first problem.
        detail: what is wrong, in short.
        hint: what to do.
        problems: everything that is wrong, by row.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    problems: tuple[RowProblem, ...]


_REFUSED: Final = ResponseSpec(
    data_container=ImportRefused,
    media_type=MEDIA_TYPE,
    description="Nothing was entered; `problems` lists what is wrong by row.",
    generate_examples=False,
)


@post(
    "/ledger/imports",
    sync_to_thread=True,
    status_code=HTTPStatus.OK,
    request_max_body_size=MAX_IMPORT_BYTES,
    responses={**problems(400, 401, 403, 413, 415), HTTPStatus.UNPROCESSABLE_ENTITY: _REFUSED},
)
def imports(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    body: RawBody,
    dry_run: DryRun = False,  # noqa: FBT002 - a query parameter
) -> Imported:
    """Enter every event of a CSV table or of JSON (an array, or one a line), or none of them.

    Everything is entered as said by your role, in a session's strength: never as signed.
    """
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    read = READERS.get(kind)
    if read is None:
        raise ServerError(
            Code.UNSUPPORTED_MEDIA_TYPE,
            f"{kind[:80]!r} is no import",
            hint=f"send {', '.join(READERS)}",
        )
    done = enter_all(
        read(body),
        parts.ledger,
        parts.measure.tables,
        parts.hand(request.user),
        speaking=by_principal(request.user),
        dry_run=dry_run,
    )
    if done.problems and not dry_run:
        return _refused(done)  # type: ignore[return-value] # the problem document beside it
    return done


def _refused(done: Imported) -> Response[Any]:
    first = done.problems[0]
    document = ImportRefused(
        type=f"about:blank#{first.code}",
        title=title_of(first.code),
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        code=first.code,
        detail=f"{pieces(len(done.problems), 'problem')}; nothing was entered",
        hint="mend the rows and send the whole file again; a dry run says the same",
        problems=done.problems,
    )
    return Response(content=document, status_code=document.status, media_type=MEDIA_TYPE)
