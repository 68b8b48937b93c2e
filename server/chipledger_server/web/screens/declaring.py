"""Uploading what a machine declares of itself: a document of `nvidia-smi -q -x`, grade G0."""

from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Response, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body

from chipledger_book.errors import BookError, Problem
from chipledger_book.errors import Code as BookCode
from chipledger_book.events import encode_event, event_id, read_event
from chipledger_book.nvidia_smi import MAX_DOCUMENT_BYTES
from chipledger_server.usecases.book.entering import by_principal
from chipledger_server.usecases.book.importing import declared_inventory
from chipledger_server.usecases.book.tried import enter_one
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.web.context import Parts
from chipledger_server.web.screens.asking import ScreenRequest, own_form

Sent = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.MULTI_PART)]


@post(
    "/ledger/import/nvidia-smi",
    sync_to_thread=True,
    include_in_schema=False,
    request_max_body_size=MAX_DOCUMENT_BYTES + 65_536,
    before_request=own_form,
)
def declare(request: ScreenRequest, parts: NamedDependency[Parts], data: Sent) -> Response[Any]:
    """Enter a document as a declared inventory, which fills no hole."""
    file = data.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise Refusal(Code.INVALID_PARAMETER, "no file was sent", hint="choose a file")
    name = file.filename[:128]
    declared = declared_inventory(
        file.file.read(MAX_DOCUMENT_BYTES + 1),
        site=str(data.get("site", "")),
        label=str(data.get("label") or name),
        title=name,
        at_ms=parts.now_ms(),
    )
    event = read_event(encode_event(declared.event))
    tables, hand = parts.measure.tables, parts.hand(request.user)
    done = enter_one(event, parts.ledger, tables, hand, speaking=by_principal(request.user))
    if done.problems:
        raise BookError(
            Problem(code=BookCode(one.code), where=one.column, detail=one.detail, hint=one.hint)
            for one in done.problems
        )
    return Response(
        content=b"",
        status_code=HTTPStatus.SEE_OTHER,
        headers={"location": f"/events/{event_id(event)}?entered=now"},
    )


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (declare,)
"""Routes of this module."""
