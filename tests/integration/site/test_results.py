"""Attestation results: what the collector signs of a host and its chips, for whoever asks."""

from typing import Any

import msgspec
import pytest

from chipledger_evidence.appraisal.ear import HOST_LABEL, PROFILE, policy_id
from chipledger_evidence.appraisal.ear_reader import Ear, EarSubmod, read_ear
from chipledger_evidence.appraisal.policy import shipped_policy
from chipledger_evidence.appraisal.trust import Category, Tier
from chipledger_evidence.codec import b64url_encode
from chipledger_evidence.inventory import Chip, Unread
from chipledger_evidence.keys import Jwk, load_jwk
from chipledger_server.adapters import schema
from chipledger_server.adapters.database import for_writing
from chipledger_server.usecases.access import Role
from chipledger_server.usecases.physical import Reading
from chipledger_testing.book import declared, site_of
from chipledger_testing.door import SIGNER, Door, text_of
from chipledger_testing.hosts import chip_of
from chipledger_testing.johor import SITE, Johor
from chipledger_testing.scene import HOUR, Scene, StagedHost

NONCE = b64url_encode(bytes(range(16)))


def result(door: Door, host: StagedHost, **parameters: str) -> Ear:
    """Return the result of a host, as somebody reads it who has the public key."""
    answer = door.ask(f"/hosts/{host.id}/result", token=None, **parameters)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/eat+jwt"
    return read_ear(answer.text, SIGNER.public)


def said(ear: Ear) -> dict[str, Any]:
    """Return what is said of the host."""
    return dict(ear.submods[HOST_LABEL].said)


def chips_in(ear: Ear) -> dict[str, EarSubmod]:
    """Return the submodules of chips."""
    return {label: one for label, one in ear.submods.items() if label != HOST_LABEL}


def staged(scene: Scene, *chips: Chip, readings: tuple[Reading, ...] = ()) -> StagedHost:
    """Return a host that lists chips, now."""
    scene.enter(declared())
    host = scene.host("johor", "a", at=scene.now_ms - 9 * HOUR)
    scene.seen(host, *chips, since=scene.now_ms - 8 * HOUR, readings=readings)
    return host


def signed(scene: Scene, chip: Chip, host: StagedHost, *, age_ms: int) -> None:
    """Write that a chip signed on a host."""
    at_ms = scene.now_ms - age_ms
    with for_writing(scene.engine).begin() as connection:
        connection.execute(
            schema.signatures.insert().values(
                chip=scene.chip_id(chip),
                host=host.id,
                since_ms=at_ms,
                until_ms=at_ms,
                token=b"t" * 32,
            )
        )


def change(scene: Scene, table: Any, **values: Any) -> None:  # noqa: ANN401 - any table
    """Change every row of a table."""
    with for_writing(scene.engine).begin() as connection:
        connection.execute(table.update().values(**values))


def test_what_the_driver_says_alone_is_never_affirmed(scene: Scene, door: Door) -> None:
    """It is data from a source that attests nothing, for the host and for every chip."""
    host = staged(scene, chip_of("a", 0), chip_of("a", 1))
    ear = result(door, host)

    assert ear.profile == PROFILE
    assert ear.submods[HOST_LABEL].vector[Category.SOURCED_DATA] == 32
    assert ear.status is Tier.WARNING
    assert {one.status for one in chips_in(ear).values()} == {Tier.NONE}
    assert {one.said["grade"] for one in chips_in(ear).values()} == {"G1"}


def test_a_result_names_its_policy_its_time_and_the_nonce_of_who_asked(
    scene: Scene, door: Door
) -> None:
    """So that it can be judged again, and answers nobody else."""
    host = staged(scene, chip_of("a", 0))
    ear = result(door, host, nonce=NONCE)

    assert {one.policies for one in ear.submods.values()} == {(policy_id(shipped_policy()),)}
    assert (ear.nonce, ear.issued_s) == (NONCE, scene.now_ms // 1000)
    assert (said(ear)["as_of_ms"], said(ear)["known_at_ms"]) == (scene.now_ms, scene.now_ms)
    assert result(door, host).nonce is None


def test_a_result_of_the_past_says_so(scene: Scene, door: Door) -> None:
    """It is issued now, and speaks of then: that chip had not signed yet."""
    chip = chip_of("a", 0)
    host = staged(scene, chip)
    signed(scene, chip, host, age_ms=HOUR)
    then = scene.now_ms - 2 * HOUR

    ear = result(door, host, as_of=str(then))
    assert (said(ear)["as_of_ms"], ear.issued_s) == (then, scene.now_ms // 1000)
    assert [one.said["grade"] for one in chips_in(ear).values()] == ["G1"]
    assert [one.said["grade"] for one in chips_in(result(door, host)).values()] == ["G3"]


def test_chips_are_named_by_uuid_else_by_pdi_else_by_place(scene: Scene, door: Door) -> None:
    """A name that is taken, or is no chip's, names nothing; each chip is there once."""
    whole = chip_of("a", 0)
    chips = [
        whole,
        msgspec.structs.replace(chip_of("a", 1), uuid=None),
        msgspec.structs.replace(chip_of("a", 2), uuid=HOST_LABEL, pdi=None),
        msgspec.structs.replace(chip_of("a", 3), uuid="place-0", pdi=None),
    ]
    host = staged(scene, *chips)

    assert set(chips_in(result(door, host))) == {whole.uuid, chips[1].pdi, "place-2", "place-3"}


def test_a_chip_that_is_listed_twice_has_two_names(scene: Scene, door: Door) -> None:
    """However a host spells its inventory, the result can be written."""
    twice = chip_of("a", 0)
    host = staged(scene, twice, msgspec.structs.replace(twice, pdi=None))

    assert set(chips_in(result(door, host))) == {twice.uuid, "place-1"}


def test_a_virtual_gpu_is_no_chip_of_its_own(scene: Scene, door: Door) -> None:
    """And a device that only the PCI bus shows is one that nobody knows."""
    host = staged(
        scene,
        *(chip_of("a", index) for index in range(3)),
        readings=(Reading.READ, Reading.NOT_PHYSICAL, Reading.UNIDENTIFIED),
    )
    grades = [one.said["grade"] for one in chips_in(result(door, host)).values()]

    assert sorted(grades) == ["G0", "G1"]


def test_a_scan_that_could_not_see_everything_is_said(scene: Scene, door: Door) -> None:
    """The chip that did not answer is known as before, and is not present."""
    lost = msgspec.structs.replace(chip_of("a", 1), lost=Unread(nvml=15))
    host = staged(scene, chip_of("a", 0), lost, readings=(Reading.READ, Reading.LOST))
    ear = result(door, host)

    assert ear.submods[HOST_LABEL].vector[Category.CONFIGURATION] == 36
    chips = chips_in(ear)
    assert {(one.said["grade"], one.said["counts"]) for one in chips.values()} == {
        ("G1", True),
        ("G1", False),
    }


@pytest.mark.parametrize(
    ("change_of", "standing", "value"),
    [
        ({}, "enrolled", 1),
        ({"revoked_ms": 1}, "revoked", 96),
        ({"retired_ms": 1}, "retired", 96),
    ],
)
def test_a_host_is_worth_what_became_of_its_key(
    change_of: dict[str, int], standing: str, value: int, scene: Scene, door: Door
) -> None:
    """A software key is a claim of nobody; a revoked or retired one is not to be trusted."""
    host = staged(scene, chip_of("a", 0))
    if change_of:
        table = schema.hosts if "retired_ms" in change_of else schema.host_keys
        change(scene, table, **change_of)
    ear = result(door, host)

    assert (said(ear)["key_standing"], said(ear)["key_tier"]) == (standing, "software")
    assert ear.submods[HOST_LABEL].vector[Category.INSTANCE_IDENTITY] == value


def test_a_chip_that_once_signed_is_expected_to(scene: Scene, door: Door) -> None:
    """Its signature is too old by a millisecond; at 26 hours it still counted."""
    chip = chip_of("a", 0)
    host = staged(scene, chip)
    signed(scene, chip, host, age_ms=shipped_policy().evidence_lifetime_ms)
    (one,) = chips_in(result(door, host)).values()
    assert (one.said["grade"], one.said["expected"], one.said["dropped"]) == ("G3", "G3", False)

    scene.now_ms += 1
    (one,) = chips_in(result(door, host)).values()
    assert (one.said["grade"], one.said["expected"], one.said["dropped"]) == ("G1", "G3", True)


def test_a_claim_that_does_not_count_contradicts_host_and_chip(scene: Scene, door: Door) -> None:
    """The same identity lives elsewhere."""
    chip = chip_of("a", 0)
    host = staged(scene, chip)
    scene.enter(declared(site_of("muar")))
    other = scene.host("muar", "b")
    scene.dispute(chip, loser=host, keeper=other, since=scene.now_ms - HOUR)
    ear = result(door, host)

    assert ear.status is Tier.CONTRAINDICATED
    assert ear.submods[HOST_LABEL].vector[Category.SOURCED_DATA] == 96
    (one,) = chips_in(ear).values()
    assert (one.said["counts"], one.vector[Category.INSTANCE_IDENTITY]) == (False, 96)


def test_every_host_s_result_agrees_with_its_page(johor: Johor) -> None:
    """Grade for grade and chip for chip, whatever happened to the host."""
    for host in johor.hosts.values():
        page = johor.door.read(f"/hosts/{host.id}")
        shown = {
            device["place"]: (device["grade"], device["standing"] == "present")
            for device in page["devices"]
            if device["reading"] != "not-physical"
        }
        ear = chips_in(result(johor.door, host))
        assert {
            one.said["place"]: (one.said["grade"], one.said["counts"]) for one in ear.values()
        } == shown


@pytest.mark.parametrize(
    "nonce", ["", "AAAA", b64url_encode(bytes(7)), b64url_encode(bytes(65)), "!" * 20, "A" * 13]
)
def test_a_nonce_that_is_none_is_refused(nonce: str, johor: Johor) -> None:
    """8 to 64 bytes, base64url, in their one spelling."""
    path = f"/hosts/{johor.hosts['good'].id}/result"
    assert johor.door.refused(path, nonce=nonce) == (400, "invalid-parameter")


@pytest.mark.parametrize("size", [8, 64])
def test_the_bounds_of_a_nonce_are_allowed(size: int, johor: Johor) -> None:
    """As the claim allows."""
    nonce = b64url_encode(bytes(range(size)))
    assert result(johor.door, johor.hosts["good"], nonce=nonce).nonce == nonce


def test_who_may_not_see_a_host_gets_no_result_of_it(scene: Scene, door: Door) -> None:
    """An operator gets those of its own sites; elsewhere there is no such host."""
    host = staged(scene, chip_of("a", 0))
    scene.enter(declared(site_of("muar")))
    path = f"/hosts/{host.id}/result"

    assert door.refused(path, token="") == (401, "unauthenticated")
    assert door.refused(path, token=door.token(Role.OPERATOR, "muar")) == (404, "unknown-host")
    own = door.ask(path, token=door.token(Role.OPERATOR, "johor"))
    assert own.status_code == 200
    assert door.refused("/hosts/h-none/result") == (404, "unknown-host")


def test_an_operator_is_not_told_a_pdi_that_only_others_reported(scene: Scene, door: Door) -> None:
    """Neither as a label nor beside it."""
    named = chip_of("a", 0)
    host = staged(scene, msgspec.structs.replace(named, pdi=None))
    scene.enter(declared(site_of("muar")))
    other = scene.host("muar", "b")
    scene.seen(other, named, since=scene.now_ms - 20 * HOUR, until=scene.now_ms - 19 * HOUR)
    scene.name(msgspec.structs.replace(named, pdi=None), "pdi", str(named.pdi))

    token = door.token(Role.OPERATOR, "johor")
    answer = door.ask(f"/hosts/{host.id}/result", token=token)
    (one,) = chips_in(read_ear(answer.text, SIGNER.public)).values()
    assert "pdi" not in one.said
    (one,) = chips_in(result(door, host)).values()
    assert one.said["pdi"] == named.pdi


def test_the_public_key_is_answered_as_a_jwk(johor: Johor) -> None:
    """As it may be saved and given to `chipledger-verify ear`."""
    answer = johor.door.ask("/result-key")

    assert answer.headers["content-type"] == "application/jwk+json"
    assert load_jwk(msgspec.json.decode(answer.content, type=Jwk)).kid == SIGNER.public.kid


def test_without_a_key_nothing_is_signed(scene: Scene) -> None:
    """Fail closed: a result that nobody signed is none."""
    host = staged(scene, chip_of("a", 0))
    door = Door(scene, signer=None)

    for path in (f"/hosts/{host.id}/result", "/result-key"):
        assert door.refused(path) == (503, "no-result-key")
        assert "result-key create" in door.ask(path).json()["hint"]


def test_a_page_hands_the_result_out_as_a_file(johor: Johor) -> None:
    """In a session, as the same result that the API answers; the host's page links it."""
    host = johor.hosts["good"]
    answer = johor.door.page(f"/hosts/{host.id}/result")

    assert answer.headers["content-type"] == "application/eat+jwt"
    assert answer.headers["content-disposition"] == f'attachment; filename="{host.id}.jwt"'
    assert read_ear(answer.text, SIGNER.public).submods[HOST_LABEL].said["host"] == host.id
    assert f'href="/hosts/{host.id}/result"' in johor.door.page(f"/hosts/{host.id}").text
    assert johor.door.page(f"/hosts/{host.id}/result", session="").status_code == 303


def test_a_page_says_that_nothing_is_signed_without_a_key(scene: Scene) -> None:
    """And how a key is made; the file is refused in words."""
    host = staged(scene, chip_of("a", 0))
    door = Door(scene, signer=None)

    assert "result-key create" in text_of(door.page(f"/hosts/{host.id}"))
    refused = door.page(f"/hosts/{host.id}/result")
    assert refused.status_code == 503
    assert "no key to sign results with" in text_of(refused)


def test_every_verdict_names_the_policy_that_graded_its_chips(johor: Johor) -> None:
    """The balance, the page of the site, the overview and the rules: one id, version, digest."""
    policy = shipped_policy()
    named = {"id": policy.id, "version": policy.version, "digest": policy.digest}
    assert johor.door.read(f"/sites/{SITE}/balance")["appraisal"] == named
    rules = johor.door.read("/rules")["appraisal"]
    assert {name: rules[name] for name in named} == named
    assert (rules["round_s"], rules["lifetime_s"]) == (12 * 3600, 26 * 3600)
    for path in ("/", f"/sites/{SITE}", "/rules"):
        page = johor.door.page(path)
        assert f"{policy.id} {policy.version}" in text_of(page)
        assert policy.digest in page.text
