"""Attestation results: a host and its chips, appraised and signed by the collector."""

from typing import Annotated, Final

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter

from chipledger_evidence.keys import Jwk
from chipledger_server.usecases.reading import When
from chipledger_server.usecases.showing.results import demand_signer, signed_result
from chipledger_server.web.api.asking import ApiRequest, problems
from chipledger_server.web.context import Parts

EAT_JWT: Final = "application/eat+jwt"
"""Media type of an Entity Attestation Token in a JWT (RFC 9782)."""
JWK: Final = "application/jwk+json"

Nonce = Annotated[
    str | None,
    QueryParameter(
        description="8 to 64 bytes of yours, base64url without padding; the result names them.",
    ),
]


@get(
    "/hosts/{host_id:str}/result",
    sync_to_thread=True,
    media_type=EAT_JWT,
    responses=problems(400, 401, 404, 503),
)
def host_result(
    request: ApiRequest,
    parts: NamedDependency[Parts],
    host_id: FromPath[str],
    times: NamedDependency[When],
    *,
    nonce: Nonce = None,
) -> Response[str]:
    """Return a host and its chips, appraised: an attestation result (EAR), signed.

    Raw evidence is never inside; each statement is named by its digest.
    """
    with parts.look(request.user, times) as look:
        token = signed_result(look, host_id, parts.results, now_ms=parts.now_ms(), nonce=nonce)
    return Response(content=token, media_type=EAT_JWT)


@get("/result-key", sync_to_thread=False, media_type=JWK, responses=problems(401, 503))
def result_key(request: ApiRequest, parts: NamedDependency[Parts]) -> Jwk:  # noqa: ARG001 - for the signature
    """Return the public key that results are signed with."""
    return demand_signer(parts.results.signer).public.jwk
