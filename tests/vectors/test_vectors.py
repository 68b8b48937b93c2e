"""The committed vectors are what the code makes and what the code answers."""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chipledger_book.counts.population import Population, digest_of
from chipledger_book.counts.sampling import Plan, draw
from chipledger_book.errors import BookError
from chipledger_book.signing import read_event_file, read_party_statement, write_event_file
from chipledger_evidence import merkle
from chipledger_evidence.appraisal.ear_reader import read_ear
from chipledger_evidence.appraisal.errors import EarError
from chipledger_evidence.codec import b64url_decode
from chipledger_evidence.entry import entry_hash
from chipledger_evidence.errors import EvidenceError
from chipledger_evidence.framing import decode_body, encode_body
from chipledger_evidence.ids import HostId, SiteId
from chipledger_evidence.keys import Jwk, load_jwk
from chipledger_evidence.nonce import judge
from chipledger_evidence.token import parse_compact
from chipledger_evidence.verify import HostTrust, verify_token
from chipledger_testing.vectors import FILES, render

HERE = Path(__file__).parent


def load(name: str) -> list[dict[str, Any]]:
    """Return the rows of a vector file."""
    rows: list[dict[str, Any]] = json.loads((HERE / name).read_text())["vectors"]
    return rows


def named(name: str) -> list[Any]:
    """Return the rows as test parameters, named by their description."""
    return [pytest.param(row, id=row["description"]) for row in load(name)]


@pytest.mark.parametrize("name", FILES)
def test_regenerated_vectors_are_byte_equal(name: str) -> None:
    """A change of the wire format cannot go unseen: it changes these files."""
    assert render(FILES[name]()) == (HERE / name).read_text()


@pytest.mark.parametrize("row", named("tokens.json"))
def test_token_vector(row: dict[str, Any]) -> None:
    """Each token gets the verdict written beside it, and the identity whatever the verdict."""
    token = parse_compact(row["token"])
    key = load_jwk(msgspec.convert(row["jwk"], Jwk))
    known = HostTrust(host=HostId(row["host"]), site=SiteId(row["site"]), key=key)
    assert token.identity == row["identity"]
    assert token.compact() == row["token"]
    try:
        verify_token(token, lambda kid: known if kid == key.kid else None)
        verdict = "ok"
    except EvidenceError as error:
        verdict = error.code
    assert verdict == row["verdict"]


@pytest.mark.parametrize("row", named("framing.json"))
def test_framing_vector(row: dict[str, Any]) -> None:
    """Each body is decoded to what encodes to it again, or refused with its code."""
    body = bytes.fromhex(row["hex"])
    if row["verdict"] == "ok":
        records = decode_body(body)
        assert encode_body(records.tokens, records.blobs) == body
        return
    with pytest.raises(EvidenceError) as caught:
        decode_body(body)
    assert caught.value.code == row["verdict"]


@pytest.mark.parametrize("row", named("nonces.json"))
def test_nonce_vector(row: dict[str, Any]) -> None:
    """Each nonce proves what is written beside it."""
    echo = judge(
        b64url_decode(row["nonce"]),
        keys=[bytes.fromhex(row["key"])],
        host=row["host"],
        now_s=row["now_s"],
        epoch_window_s=row["epoch_window_s"],
    )
    assert echo.freshness == row["proves"]


@pytest.mark.parametrize("row", named("log.json"))
def test_log_vector(row: dict[str, Any]) -> None:
    """Entry, salted digest, leaf hash and both proofs are those written down."""
    record = bytes.fromhex(row["salt"]) + bytes.fromhex(row["record"])
    entry = json.loads(row["entry"])
    assert b64url_decode(entry["digest"]) == hashlib.sha256(record).digest()
    assert entry_hash(row["entry"].encode()).hex() == row["leaf"]
    first = bytes.fromhex(load("log.json")[0]["leaf"])
    root, size = bytes.fromhex(row["root"]), row["size"]
    merkle.verify_inclusion(
        first,
        index=0,
        size=size,
        proof=[bytes.fromhex(item) for item in row["inclusion_of_0"]],
        root=root,
    )
    merkle.verify_consistency(
        first=1,
        first_root=first,
        second=size,
        second_root=root,
        proof=[bytes.fromhex(item) for item in row["consistency_from_1"]],
    )


def test_published_rfc6962_roots() -> None:
    """The heads agree with the published test data of Certificate Transparency."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657",
              "606162636465666768696a6b6c6d6e6f"]  # fmt: skip
    leaves = [merkle.leaf_hash(bytes.fromhex(item)) for item in inputs]
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    for size, root in roots.items():
        assert merkle.root_hash(leaves[:size]).hex() == root


@pytest.mark.parametrize("row", named("ears.json"))
def test_ear_vector(row: dict[str, Any]) -> None:
    """Each attestation result is read, or refused with the code written beside it."""
    key = load_jwk(msgspec.convert(row["jwk"], Jwk))
    try:
        read_ear(row["ear"], key)
        verdict = "ok"
    except (EarError, EvidenceError) as error:
        verdict = error.code
    assert verdict == row["verdict"]


@pytest.mark.parametrize("row", named("sampling.json"))
def test_sampling_vector(row: dict[str, Any]) -> None:
    """Each population and plan has the digest written down, and the seed draws those chips."""
    population = msgspec.convert(row["population"], Population)
    plan = msgspec.convert(row["plan"], Plan)
    seed = bytes.fromhex(row["seed"])

    assert hashlib.sha256(seed).hexdigest() == row["commitment"]
    assert digest_of(population) == row["population_digest"]
    assert digest_of(plan) == row["plan_digest"]
    assert [one.unit.id for one in draw(plan, population, seed).units] == row["drawn"]


@pytest.mark.parametrize("row", named("statements.json"))
def test_statement_vector(row: dict[str, Any]) -> None:
    """Each statement of a party stands, or is refused with the code written beside it."""
    key = load_jwk(msgspec.convert(row["jwk"], Jwk))
    try:
        read_party_statement(row["statement"].encode()).by(key)
        verdict = "ok"
    except (BookError, EvidenceError) as error:
        verdict = str(error.code)
    assert verdict == row["verdict"]


@pytest.mark.parametrize("row", named("signed-events.json"))
def test_signed_event_vector(row: dict[str, Any]) -> None:
    """Each signed event is read, or refused with everything that is wrong with it."""
    data = row["file"].encode()
    try:
        read = read_event_file(data)
        codes = []
        assert write_event_file(read.event, [one.text for one in read.statements]) == data
    except BookError as error:
        codes = [str(problem.code) for problem in error.problems]
    assert codes == row["problems"]
