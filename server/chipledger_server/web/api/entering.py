"""Entering one event, or standing behind one: `POST /api/v1/ledger/events` and below."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final

import msgspec
from litestar import Response, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, RawBody

from chipledger_book.errors import BookError, Problem
from chipledger_book.events import Event, Role, read_event
from chipledger_book.ledger import fold
from chipledger_book.signing import (
    MAX_FILE_BYTES,
    is_event_file,
    read_event_file,
    read_party_statement,
)
from chipledger_evidence.ids import Digest
from chipledger_server.domain.codes import Code, ServerError
from chipledger_server.usecases.book.entry import Entered, enter
from chipledger_server.usecases.book.rights import entry_problems, speaker_for
from chipledger_server.usecases.book.standing import (
    demand_scope,
    enter_signed,
    state_in_session,
    state_signed,
)
from chipledger_server.usecases.refusals import Code as RefusalCode
from chipledger_server.usecases.refusals import Refusal
from chipledger_server.usecases.words import pieces
from chipledger_server.web.api.asking import ApiRequest, problems
from chipledger_server.web.context import Parts
from chipledger_server.web.problems import MEDIA_TYPE, title_of

JSON: Final = "application/json"
JOSE: Final = "application/jose"
"""Media type of a compact JWS (RFC 7515, section 9.2.1): a party's signed statement."""


class EntryAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of an event or a statement.

    Attributes:
        id: the event.
        known_before: whether the book held it already, and nothing was written.
        log_index: where its record stands in the log; null until the sequencer has placed it.
    """

    id: Digest
    known_before: bool
    log_index: int | None


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that is wrong.

    Attributes:
        code: stable code, docs/ERRORS.md.
        where: path into what was sent, empty for the whole.
        detail: what is wrong.
        hint: what to do.
    """

    code: str
    where: str
    detail: str
    hint: str


class EntryRefused(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Problem document (RFC 9457) of what was not entered; nothing of it was.

    Attributes:
        type: names the code.
        title: the code as text.
        status: HTTP status.
        code: code of the first problem.
        detail: what is wrong, in short.
        hint: what to do about the first problem.
        problems: everything that is wrong.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    problems: tuple[Fault, ...]


class Stand(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As what an account stands behind an event: entered in a session, never called signed.

    An administrator speaks as `collector`, and only to agree to a correction.
    """

    role: Annotated[str, msgspec.Meta(pattern="^(operator|consignee|auditor|collector)$")]


_REFUSED: Final = ResponseSpec(
    data_container=EntryRefused,
    media_type=MEDIA_TYPE,
    description="Nothing was entered; `problems` lists everything that is wrong.",
    generate_examples=False,
)
_KNOWN: Final = ResponseSpec(
    data_container=EntryAnswer,
    description="The book held it already; nothing was written.",
    generate_examples=False,
)
_RESPONSES: Final = {
    HTTPStatus.OK: _KNOWN,
    **problems(400, 401, 403, 404, 413, 415),
    HTTPStatus.UNPROCESSABLE_ENTITY: _REFUSED,
}


@post(
    "/ledger/events",
    sync_to_thread=True,
    status_code=HTTPStatus.CREATED,
    request_max_body_size=MAX_FILE_BYTES,
    responses=_RESPONSES,
)
def enter_event(
    request: ApiRequest, parts: NamedDependency[Parts], body: RawBody
) -> Response[EntryAnswer]:
    """Enter one event: as you, in a session's strength; or one that parties have signed.

    A signed event counts as its parties' word, whoever sends it, once their keys are let in.
    """
    _demand_type(request, JSON)
    try:
        if is_event_file(body):
            entered = enter_signed(
                read_event_file(body),
                parts.ledger,
                parts.measures.at(parts.now_ms()).tables,
                parts.hand(request.user),
                carrier=request.user,
            )
        else:
            entered = _in_session(request, parts, read_event(body))
    except BookError as error:
        return refused(error.problems)
    return _answer(parts, entered.id, known_before=entered.known_before)


@post(
    "/ledger/events/{event_id:str}/statements",
    sync_to_thread=True,
    status_code=HTTPStatus.CREATED,
    request_max_body_size=MAX_FILE_BYTES,
    responses=_RESPONSES,
)
def stand_behind(
    request: ApiRequest, parts: NamedDependency[Parts], event_id: FromPath[str], body: RawBody
) -> Response[EntryAnswer]:
    """Stand behind an event of the ledger: `{"role": …}` as you, or a party's signed statement."""
    kind = _demand_type(request, JSON, JOSE)
    hand = parts.hand(request.user)
    try:
        if kind == JOSE:
            statement = read_party_statement(body.rstrip(b"\n"), where="statement")
            stated = state_signed(
                statement, parts.ledger, hand, carrier=request.user, about=event_id
            )
        else:
            role = Role(_stand(body).role)
            stated = state_in_session(event_id, role, parts.ledger, hand, carrier=request.user)
    except BookError as error:
        return refused(error.problems)
    return _answer(parts, stated.event, known_before=stated.known_before)


def _in_session(request: ApiRequest, parts: Parts, event: Event) -> Entered:
    """Enter an event as said by an account.

    Raises:
        BookError: everything that is wrong with it.
        Refusal: `outside-scope`.
    """
    hand = parts.hand(request.user)
    with parts.ledger.writing() as page:
        book = fold(page.bearing((event,)))
    demand_scope(request.user, event, book)
    if forbidden := entry_problems(request.user, event, book):
        raise BookError(forbidden)
    speaker = speaker_for(request.user, event, book)
    tables = parts.measures.at(hand.now_ms).tables
    return enter(event, parts.ledger, tables, hand, speaker=speaker)


def _demand_type(request: ApiRequest, *kinds: str) -> str:
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind not in kinds:
        raise ServerError(
            Code.UNSUPPORTED_MEDIA_TYPE,
            f"{kind[:80]!r} is not taken here",
            hint=f"send {' or '.join(kinds)}",
        )
    return kind


def _stand(body: bytes) -> Stand:
    try:
        return msgspec.json.decode(body, type=Stand)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(
            RefusalCode.INVALID_PARAMETER, str(error), hint='send {"role": "operator"}'
        ) from error


def _answer(parts: Parts, key: str, *, known_before: bool) -> Response[EntryAnswer]:
    with parts.reads.snapshot() as snapshot:
        index = snapshot.log_index((key,)).get(key)
    answer = EntryAnswer(id=key, known_before=known_before, log_index=index)
    return Response(
        content=answer,
        status_code=HTTPStatus.OK if known_before else HTTPStatus.CREATED,
        headers={"location": f"/api/v1/events/{key}"},
    )


def refused(found: Sequence[Problem]) -> Response[Any]:
    """Return the problem document of what was not entered, with everything that is wrong."""
    first = found[0]
    document = EntryRefused(
        type=f"about:blank#{first.code}",
        title=title_of(first.code),
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
        code=first.code,
        detail=f"{pieces(len(found), 'problem')}; nothing was entered. First: {first.detail}",
        hint=first.hint,
        problems=tuple(
            Fault(code=one.code, where=one.where, detail=one.detail, hint=one.hint) for one in found
        ),
    )
    return Response(content=document, status_code=document.status, media_type=MEDIA_TYPE)


ROUTES: Final[tuple[HTTPRouteHandler, ...]] = (enter_event, stand_behind)
"""Routes of this module."""
