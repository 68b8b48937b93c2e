"""Entering a file of events: upload, a dry run row by row, confirm.

The file travels with the page that confirms it, packed, so that no collector has to keep it; what
comes back is read and held to the book anew.
"""

import base64
import binascii
import hashlib
import zlib
from http import HTTPStatus
from typing import Annotated, Any, Final

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.enums import MediaType, RequestEncodingType
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body

from chipledger_book.imports.columns import MEANINGS
from chipledger_book.imports.csv_rows import MAX_IMPORT_BYTES, MAX_ROWS
from chipledger_server.usecases.book.entering import Imported, by_principal, enter_all, read_file
from chipledger_server.usecases.refusals import Code, Refusal
from chipledger_server.web.context import Parts
from chipledger_server.web.rendering import Pages
from chipledger_server.web.screens.asking import Form, ScreenRequest, html, own_form

SHOWN: Final = 500
"""Most problems that a page lists; the API and the command line list all."""
_FORM_BYTES: Final = 2 * MAX_IMPORT_BYTES
Upload = Annotated[dict[str, UploadFile], Body(media_type=RequestEncodingType.MULTI_PART)]


@get("/ledger/import", sync_to_thread=False, include_in_schema=False)
def upload_page(request: ScreenRequest, pages: NamedDependency[Pages]) -> Response[str]:
    """Show where a file is uploaded, and what its columns are."""
    return html(_page(request, pages))


@post(
    "/ledger/import/check",
    sync_to_thread=True,
    include_in_schema=False,
    request_max_body_size=MAX_IMPORT_BYTES + 65_536,
    before_request=own_form,
)
def check_file(
    request: ScreenRequest,
    parts: NamedDependency[Parts],
    pages: NamedDependency[Pages],
    data: Upload,
) -> Response[str]:
    """Show what would become of a file, row by row; nothing is written."""
    file = data.get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        raise Refusal(Code.INVALID_PARAMETER, "no file was sent", hint="choose a file")
    content = file.file.read(MAX_IMPORT_BYTES + 1)
    done = _run(request, parts, content, dry_run=True)
    page = _page(request, pages, done=done, name=file.filename[:128], content=content)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if done.problems else HTTPStatus.OK
    return Response(content=page, media_type=MediaType.HTML, status_code=status)


@post(
    "/ledger/import/enter",
    sync_to_thread=True,
    include_in_schema=False,
    request_max_body_size=_FORM_BYTES,
    before_request=own_form,
)
def enter_file(
    request: ScreenRequest, parts: NamedDependency[Parts], pages: NamedDependency[Pages], data: Form
) -> Response[Any]:
    """Enter the file that was shown, all of it or nothing."""
    content = unpacked_file(data.get("packed", ""))
    done = _run(request, parts, content, dry_run=False)
    page = _page(request, pages, done=done, name=data.get("name", "")[:128], content=content)
    status = HTTPStatus.UNPROCESSABLE_ENTITY if done.problems else HTTPStatus.OK
    return Response(content=page, media_type=MediaType.HTML, status_code=status)


def _run(request: ScreenRequest, parts: Parts, content: bytes, *, dry_run: bool) -> Imported:
    return enter_all(
        read_file(content),
        parts.ledger,
        parts.measure.tables,
        parts.hand(request.user),
        speaking=by_principal(request.user),
        dry_run=dry_run,
    )


def _page(
    request: ScreenRequest,
    pages: Pages,
    *,
    done: Imported | None = None,
    name: str = "",
    content: bytes = b"",
) -> str:
    """Return the page; it carries the file only where it can be confirmed."""
    ready = done is not None and done.dry_run and bool(done.entered)
    return pages.render(
        "import.html",
        reader=request.user,
        travel=None,
        done=done,
        name=name,
        shown=() if done is None else done.problems[:SHOWN],
        packed=packed_file(content) if ready else "",
        digest=hashlib.sha256(content).hexdigest(),
        columns=MEANINGS,
        most_rows=MAX_ROWS,
        most_bytes=MAX_IMPORT_BYTES,
    )


def packed_file(content: bytes) -> str:
    """Return a file as a page carries it."""
    return base64.b64encode(zlib.compress(content, 6)).decode("ascii")


def unpacked_file(text: str) -> bytes:
    """Return the file that a page carried, never more than an upload may hold.

    Raises:
        Refusal: `invalid-parameter`.
    """
    try:
        stream = zlib.decompressobj()
        content = stream.decompress(base64.b64decode(text, validate=True), MAX_IMPORT_BYTES + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise Refusal(
            Code.INVALID_PARAMETER, "the file did not come back whole", hint="upload it again"
        ) from error
    if not stream.eof:
        raise Refusal(
            Code.INVALID_PARAMETER, "the file did not come back whole", hint="upload it again"
        )
    return content


SCREENS: Final[tuple[HTTPRouteHandler, ...]] = (upload_page, check_file, enter_file)
"""Routes of this module."""
