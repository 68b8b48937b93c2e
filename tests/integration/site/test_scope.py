"""Nobody reads what is not theirs: names of other sites, their hosts and their chips."""

from typing import Final

import msgspec
from msgspec.structs import replace

from chipledger_server.usecases.access import Role
from chipledger_testing.book import declared, lpp, ms, received, site_of
from chipledger_testing.door import Door, text_of
from chipledger_testing.hosts import chip_of
from chipledger_testing.scene import Scene

FOREIGN_UUID: Final = "GPU-00000000-1111-2222-3333-444444444444"
FOREIGN_PDI: Final = "feedfacefeedface"


def two_sites(scene: Scene) -> tuple[str, str]:
    """Write a chip that one site reports by UUID and a sister site by its PDI as well."""
    scene.enter(declared(), declared(site_of("muar")))
    here, there = scene.host("johor", "here"), scene.host("muar", "there")
    chip = chip_of("c", 0)
    known_here = replace(chip, pdi="0123456789abcdef")
    scene.seen(here, known_here, since=scene.now_ms)
    scene.seen(there, replace(chip, uuid=FOREIGN_UUID, pdi=known_here.pdi), since=scene.now_ms)
    scene.name(chip, "uuid", FOREIGN_UUID)
    return here.id, str(scene.chip_id(chip))


def test_a_changed_identity_does_not_tell_the_names_of_a_sister_sites_chips(
    scene: Scene, door: Door
) -> None:
    """What the own host says is shown; what another site's host said before is not."""
    here, _ = two_sites(scene)
    detail = {
        "before": [FOREIGN_UUID],
        "changes": [f"chip with PDI 0123456789abcdef now says GPU-own, before {FOREIGN_UUID}"],
    }
    finding = scene.finding(
        "identity-changed", site="johor", host=here, detail=msgspec.json.encode(detail)
    )
    operator = door.token(Role.OPERATOR, "johor")
    session = door.log_in(operator)
    for shown in (
        door.ask(f"/findings/{finding}", token=operator).text,
        door.ask("/findings", token=operator).text,
        door.page(f"/findings/{finding}", session=session).text,
        door.page(f"/hosts/{here}", session=session).text,
    ):
        assert FOREIGN_UUID not in shown
        assert "GPU-own" in shown
        assert "another site" in shown
    assert FOREIGN_UUID in door.ask(f"/findings/{finding}").text


def test_a_changed_identity_of_the_own_site_is_told_in_full(scene: Scene, door: Door) -> None:
    """An operator explains what it can compare."""
    here, _ = two_sites(scene)
    own = chip_of("c", 0).uuid
    detail = {"before": [own], "changes": [f"chip with PDI p now says GPU-own, before {own}"]}
    finding = scene.finding(
        "identity-changed", site="johor", host=here, detail=msgspec.json.encode(detail)
    )
    answer = door.ask(f"/findings/{finding}", token=door.token(Role.OPERATOR, "johor"))
    assert answer.json()["detail"] == detail


def test_a_changed_identity_that_does_not_say_whose_is_cut_short(scene: Scene, door: Door) -> None:
    """A finding of an older version tells an operator no more than its own host said."""
    here, _ = two_sites(scene)
    detail = {"changes": [f"chip with PDI p now says GPU-own, before {FOREIGN_UUID}"]}
    finding = scene.finding(
        "identity-changed", site="johor", host=here, detail=msgspec.json.encode(detail)
    )
    answer = door.ask(f"/findings/{finding}", token=door.token(Role.OPERATOR, "johor"))
    assert FOREIGN_UUID not in answer.text
    assert "GPU-own" in answer.text


def test_the_log_keeps_such_a_record_from_an_operator(scene: Scene, door: Door) -> None:
    """A record is given whole or not at all; whoever may not have it gets the entry."""
    here, _ = two_sites(scene)
    detail = {"before": [FOREIGN_UUID], "changes": [f"x now says y, before {FOREIGN_UUID}"]}
    finding = scene.finding(
        "identity-changed", site="johor", host=here, detail=msgspec.json.encode(detail)
    )
    scene.finding_record(finding, "identity-changed", detail)
    scene.sequence()
    operator = door.ask("/log", token=door.token(Role.OPERATOR, "johor")).text
    assert FOREIGN_UUID not in operator
    assert FOREIGN_UUID in door.ask("/log").text


def test_a_counter_that_went_back_does_not_tell_what_another_site_read(
    scene: Scene, door: Door
) -> None:
    """A name known from papers, reported with small counts, would bring the real chip's."""
    here, _ = two_sites(scene)
    detail = {"counters": ["BBX seconds of GPU-own: 31415926 before, now 5"]}
    finding = scene.finding(
        "counter-backward", site="johor", host=here, detail=msgspec.json.encode(detail)
    )
    scene.finding_record(finding, "counter-backward", detail)
    scene.sequence()
    operator = door.token(Role.OPERATOR, "johor")
    for shown in (
        door.ask(f"/findings/{finding}", token=operator).text,
        door.page(f"/findings/{finding}", session=door.log_in(operator)).text,
    ):
        assert "31415926" not in shown
        assert "BBX seconds of GPU-own: more before, now 5" in shown
    assert "31415926" not in door.ask("/log", token=operator).text
    assert "31415926" in door.ask(f"/findings/{finding}").text


def test_a_chip_has_for_an_operator_the_names_its_own_hosts_reported(
    scene: Scene, door: Door
) -> None:
    """A name learnt at another site is no gift to whoever claims the chip too."""
    here, chip = two_sites(scene)
    operator = door.token(Role.OPERATOR, "johor")
    session = door.log_in(operator)
    for shown in (
        door.ask(f"/chips/{chip}", token=operator).text,
        door.ask("/chips", token=operator).text,
        door.page(f"/chips/{chip}", session=session).text,
        door.page(f"/hosts/{here}", session=session).text,
    ):
        assert FOREIGN_UUID not in shown
        assert str(chip_of("c", 0).uuid) in shown
    assert door.ask("/chips", token=operator, name=FOREIGN_UUID).json()["items"] == []
    assert FOREIGN_UUID in door.ask(f"/chips/{chip}").text
    assert len(door.read("/chips", name=FOREIGN_UUID)["items"]) == 1


def test_a_pdi_that_another_site_reported_is_not_shown_with_the_own_device(
    scene: Scene, door: Door
) -> None:
    """Who claims a UUID from papers does not learn the chip's fused identity by it."""
    scene.enter(declared(), declared(site_of("muar")))
    here, there = scene.host("johor", "here"), scene.host("muar", "there")
    chip = chip_of("c", 0)
    scene.seen(here, replace(chip, pdi=None), since=scene.now_ms)
    scene.seen(there, replace(chip, pdi=FOREIGN_PDI), since=scene.now_ms)
    scene.name(chip, "pdi", FOREIGN_PDI)
    operator = door.token(Role.OPERATOR, "johor")
    session = door.log_in(operator)
    for shown in (
        door.ask(f"/hosts/{here.id}", token=operator).text,
        door.ask("/sites/johor/devices", token=operator).text,
        door.page(f"/hosts/{here.id}", session=session).text,
    ):
        assert FOREIGN_PDI not in shown
    assert FOREIGN_PDI in door.ask(f"/hosts/{here.id}").text


def test_a_shared_ceiling_does_not_name_sites_outside_the_scope(scene: Scene, door: Door) -> None:
    """That others used it explains the number; which site it was is not told."""
    scene.enter(
        declared(),
        declared(site_of("muar")),
        lpp(),
        received(1699, at=ms(2026, 2)),
        received(1, site="muar", at=ms(2026, 2)),
    )
    operator = door.token(Role.OPERATOR, "johor")
    page = door.page("/sites/johor", session=door.log_in(operator))
    answer = door.ask("/sites/johor/balance", token=operator)
    for shown in (answer.text, page.text):
        assert "muar" not in shown
    (ceiling,) = answer.json()["report"]["ceilings"]
    assert ceiling["sites"] == ["another site", "johor"]
    assert "shared with another site" in text_of(page)

    both = door.token(Role.OPERATOR, "johor", "muar")
    for reader in (None, both):
        (ceiling,) = door.ask("/sites/johor/balance", token=reader).json()["report"]["ceilings"]
        assert ceiling["sites"] == ["johor", "muar"]
