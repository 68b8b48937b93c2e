"""What readers are shown of chips that signed, judged by the running collector's own worker."""

import contextlib
import hashlib
import io
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chipledger_audit.verify_cli import main
from chipledger_evidence.codec import b64url_decode
from chipledger_testing.collector_process import CollectorProcess, running
from chipledger_testing.commands import Commands
from chipledger_testing.gpu_pki import PKI, GpuMaker, spki
from chipledger_testing.hosts import SimulatedHost
from chipledger_testing.rounds import answer, host_of

JUDGED_S = 60
MAKERS = tuple(GpuMaker(number) for number in range(3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A collector at whose test site two of three chips signed, and an auditor's token."""

    collector: CollectorProcess
    host: SimulatedHost
    token: str

    def read(self, path: str) -> Any:  # noqa: ANN401 - any JSON
        """Return what the API answers an auditor."""
        headers = {"authorization": f"Bearer {self.token}"}
        reply = self.collector.request("GET", f"/api/v1{path}", None, headers)
        assert reply.status == 200, reply.body
        return msgspec.json.decode(reply.body)

    def files(self, folder: Path) -> list[str]:
        """Return how the auditor's tool is asked about the result in a folder."""
        return ["ear", str(folder / "result"), "--key", str(folder / "key")]

    def result(self, folder: Path, *, nonce: str | None = None) -> Any:  # noqa: ANN401 - any JSON
        """Save the host's result and the collector's key, and return what the tool reads in it."""
        headers = {"authorization": f"Bearer {self.token}"}
        query = "" if nonce is None else f"?nonce={nonce}"
        paths = {"result": f"/hosts/{self.host.host}/result{query}", "key": "/result-key"}
        for name, path in paths.items():
            reply = self.collector.request("GET", f"/api/v1{path}", None, headers)
            assert reply.status == 200, reply.body
            (folder / name).write_bytes(reply.body)
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            assert main([*self.files(folder), "--json"]) == 0
        return json.loads(out.getvalue())


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    """Return a running collector that has judged a round."""
    folder = tmp_path_factory.mktemp("signed")
    with running(folder, settings(folder)) as collector:
        commands = Commands(folder)
        commands.site("johor")
        create = ("code", "create", "--site", "johor", "--uses", "1", "--expires-in", "1h")
        host = host_of("signed", MAKERS)
        collector.enrol(host, commands.done(*create).strip())
        report = collector.report(host.full(collector.challenge(host).nonce)).report()
        assert report.want == "evidence"
        made = answer(host, collector.challenge(host).nonce, {0: MAKERS[0], 1: MAKERS[1]})
        assert collector.report(made.token, blobs=made.blobs).status == 200
        token = commands.done("principal", "add", "ada", "--role", "auditor").strip()
        one = Signed(collector=collector, host=host, token=token)
        _wait_until_judged(one)
        yield one


def settings(folder: Path) -> str:
    """Return the configuration under which this test's devices are believed at test sites."""
    roots = folder / "roots"
    roots.write_text(hashlib.sha256(spki(PKI.root.key)).hexdigest() + "\n")
    return f'[evidence]\ntest_roots_file = "{roots}"\n'


def _wait_until_judged(signed: Signed) -> None:
    deadline = time.monotonic() + JUDGED_S
    while time.monotonic() < deadline:
        if any(one["type"] == "result" for one in signed.read("/log")["items"]):
            return
        time.sleep(0.1)
    raise AssertionError("the worker did not judge the round")


def test_the_balance_stacks_chips_by_how_they_are_known(signed: Signed) -> None:
    """Two signed, one is the driver's word: nobody adds them up unseen."""
    (row,) = signed.read("/sites/johor/balance")["report"]["rows"]

    assert row["present"] == {"G1": 1, "G2": 0, "G3": 2, "G4": 0}


def test_every_fact_of_a_statement_is_shown_by_itself(signed: Signed) -> None:
    """What was not checked is said to be not checked."""
    evidence = signed.read(f"/hosts/{signed.host.host}")["evidence"]

    assert [one["worth"] for one in evidence["statements"]] == ["chip-signed"] * 2
    assert evidence["statements"][0]["pdi"] == MAKERS[0].pdi
    assert evidence["statements"][0]["facts"] == {
        "chain": "pass",
        "class": "pass",
        "signature": "pass",
        "nonce": "pass",
        "firmware": "pass",
        "revocation": "not-checked",
        "measurements": "not-checked",
    }


def test_a_host_says_how_many_of_its_chips_signed(signed: Signed) -> None:
    """The driver's word and the chips' own are two numbers."""
    (host,) = signed.read("/sites/johor/hosts")["items"]

    assert (host["chips_read"], host["chips_signed"]) == (3, 2)


def test_what_simulated_devices_may_have_signed_is_marked(signed: Signed) -> None:
    """At a test site other roots are believed as well; no page may call them the maker's."""
    (first, _) = signed.read(f"/hosts/{signed.host.host}")["evidence"]["statements"]

    assert (first["simulated"], first["anchors"][-5:]) == (True, "+test")


def test_a_chip_shows_what_it_signed_and_the_other_that_it_did_not(signed: Signed) -> None:
    """Chip by chip: what one signed says nothing of its neighbour."""
    chips = {
        next(alias["value"] for alias in chip["aliases"] if alias["kind"] == "pdi"): chip["id"]
        for chip in signed.read("/chips")["items"]
    }
    first, last = (signed.read(f"/chips/{chips[maker.pdi]}") for maker in (MAKERS[0], MAKERS[2]))
    assert (first["grade"], first["statement"]["pdi"]) == ("G3", MAKERS[0].pdi)
    assert (last["grade"], last["statement"]) == ("G1", None)


def test_a_result_is_an_entry_of_the_log(signed: Signed) -> None:
    """It names the token, the list of pinned roots and every statement by digest."""
    (entry,) = [one for one in signed.read("/log")["items"] if one["type"] == "result"]
    record = msgspec.json.decode(entry["record"])

    assert (record["host"], len(record["pieces"])) == (signed.host.host, 2)
    assert record["anchors"].endswith("+test")


def test_a_result_for_others_says_chip_by_chip_what_was_signed(
    signed: Signed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two chips signed, one is the driver's word; and all of it may be simulated here."""
    labels = [chip.uuid for chip in signed.host.inventory.chips]
    ear = signed.result(tmp_path, nonce="AAECAwQFBgc")
    chips = [ear["submods"][label] for label in labels]
    page = signed.read(f"/hosts/{signed.host.host}")

    assert [one["said"]["grade"] for one in chips] == ["G3", "G3", "G1"]
    assert [one["vector"] for one in chips] == [
        *[{"hardware": 2, "executables": 1, "configuration": 32}] * 2,
        {"hardware": 0, "instance-identity": 0},
    ]
    assert [one["said"].get("evidence", {}).get("digest") for one in chips] == [
        *(statement["digest"] for statement in page["evidence"]["statements"]),
        None,
    ]
    assert ear["submods"]["host"]["said"]["test_site"] is True
    assert ear["status"] == "warning"
    assert main([*signed.files(tmp_path), "--nonce", "AAECAwQFBgc"]) == 0
    assert "genuine: the chip signed over the verifier's nonce" in capsys.readouterr().out


def test_a_result_carries_no_evidence(signed: Signed, tmp_path: Path) -> None:
    """The bytes stay where they are; the digest names them. A report alone has 4 KB and more."""
    signed.result(tmp_path)
    payload = b64url_decode((tmp_path / "result").read_text().split(".")[1])

    assert max(map(len, re.findall(rb'"[^"]*"', payload))) < 128


@pytest.fixture(scope="module")
def doubted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Signed]:
    """Return a collector at whose real site a simulated chip has signed."""
    folder = tmp_path_factory.mktemp("doubted")
    with running(folder, settings(folder)) as collector:
        host = host_of("real", MAKERS[:1])
        collector.enrol(host, collector.make_code("real"))
        collector.report(host.full(collector.challenge(host).nonce))
        made = answer(host, collector.challenge(host).nonce, MAKERS[:1])
        collector.report(made.token, blobs=made.blobs)
        token = Commands(folder).done("principal", "add", "ada", "--role", "auditor").strip()
        one = Signed(collector=collector, host=host, token=token)
        _wait_until_judged(one)
        yield one


def test_at_a_site_that_is_no_test_site_simulated_chips_prove_nothing(doubted: Signed) -> None:
    """The file of test roots plays no part there, whoever wrote it."""
    assert ("evidence-refused",) in doubted.collector.rows("SELECT type FROM findings")
    assert doubted.collector.rows("SELECT count(*) FROM signatures") == [(0,)]


def test_evidence_that_is_wrong_is_worse_than_none_in_a_result(
    doubted: Signed, tmp_path: Path
) -> None:
    """It contradicts the chip and the host that gave it."""
    ear = doubted.result(tmp_path)
    (chip,) = (one for label, one in ear["submods"].items() if label != "host")

    assert (chip["said"]["grade"], chip["vector"]) == ("G1", {"hardware": 99})
    assert chip["said"]["evidence"]["facts"]["chain"] == "fail"
    assert ear["submods"]["host"]["vector"]["sourced-data"] == 96
    assert ear["status"] == "contraindicated"
