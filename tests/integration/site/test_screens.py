"""The screens: what they say, and what they never say."""

import re

import msgspec
import pytest

from chipledger_server.usecases.access import Role
from chipledger_server.usecases.limits import CANNOT_SEE
from chipledger_testing.book import declared, site_of
from chipledger_testing.door import Door, text_of
from chipledger_testing.johor import FOREIGN, SITE, Johor
from chipledger_testing.scene import Scene


def addresses(johor: Johor) -> list[str]:
    """Return one page of each kind."""
    return [
        *("/", "/rules", f"/sites/{SITE}", f"/hosts/{johor.hosts['quiet'].id}"),
        f"/chips/{johor.scene.chip_id(johor.chips['good'][0])}",
        f"/findings/{johor.findings['duplicate-identity']}",
        f"/events/{johor.events['servers']}",
    ]


PAGES = range(7)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_which_time_it_shows(page: int, johor: Johor) -> None:
    """Both times, and that they are the collector's."""
    said = text_of(johor.door.page(addresses(johor)[page]))

    assert "As of 2026-06-01 00:00:00 UTC" in said
    assert "known at 2026-06-01 00:00:00 UTC" in said


@pytest.mark.parametrize("page", PAGES)
def test_no_page_calls_a_drivers_word_verified(page: int, johor: Johor) -> None:
    """Self-reported (G1), whatever it is about."""
    said = text_of(johor.door.page(addresses(johor)[page])).casefold()

    assert "verified" not in said
    assert "trusted" not in said


@pytest.mark.parametrize("page", PAGES)
def test_no_page_needs_a_script_or_anything_from_elsewhere(page: int, johor: Johor) -> None:
    """No script, no inline style, no address but our own; the policy forbids all of them."""
    answer = johor.door.page(addresses(johor)[page])

    assert "<script" not in answer.text
    assert not re.search(r"\sstyle=", answer.text)
    assert not re.search(r"\son\w+=", answer.text)
    assert not re.search(r'(?:href|src|action)="(?!/|#|\?)', answer.text)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("page", PAGES)
def test_no_page_is_stored(page: int, johor: Johor) -> None:
    """What an auditor saw stays out of caches."""
    assert johor.door.page(addresses(johor)[page]).headers["cache-control"] == "no-store"


@pytest.mark.parametrize("page", PAGES)
def test_links_keep_the_time_that_is_looked_at(page: int, johor: Johor) -> None:
    """A journey into the past stays there until it is ended."""
    address = addresses(johor)[page]
    found = johor.door.page(f"{address}?as_of=2026-05-30")
    if found.status_code == 404:  # entered or found later: not there at that time
        return
    links = re.findall(r'href="(/(?!static)[^"]*)"', found.text)

    assert links
    assert all("as_of=2026-05-30" in link for link in links)
    assert "You are looking at the past" in found.text


def test_the_overview_shows_the_worst_first(johor: Johor) -> None:
    """With what is missing, silent and disputed beside each other."""
    said = text_of(johor.door.page("/"))

    assert said.index("Johor-1") < said.index("Abu-Dhabi-2")
    assert "126,656 beyond" in said
    assert "1 of 3 hosts" in said


@pytest.mark.parametrize(
    ("query", "first"),
    [("sort=site", "Abu-Dhabi-2"), ("sort=site&order=reverse", "Johor-1"), ("sort=tpp", "Johor-1")],
)
def test_the_overview_is_sorted_on_demand(query: str, first: str, johor: Johor) -> None:
    """By any column, either way round, without a script."""
    said = text_of(johor.door.page(f"/?{query}"))
    names = ["Abu-Dhabi-2", "Johor-1"]

    assert min(names, key=said.index) == first


def test_the_overview_is_filtered_on_demand(johor: Johor) -> None:
    """By text and by what is wrong; nothing found is said, not shown as an empty table."""
    assert "Johor-1" not in text_of(johor.door.page("/?find=gulf"))
    assert "Abu-Dhabi-2" not in text_of(johor.door.page("/?show=findings"))
    assert "No site fits." in text_of(johor.door.page("/?find=nowhere"))


def test_a_site_says_two_verdicts_with_their_reasons(johor: Johor) -> None:
    """In numbers; neither merges into the other."""
    said = text_of(johor.door.page(f"/sites/{SITE}"))

    assert "Book against reports" in said
    assert "2 chips unaccounted for; 8 chips silent" in said
    assert "Held against allowed" in said
    assert "126,656 TPP beyond what is allowed" in said


def test_a_site_shows_each_allowance_with_its_own_room(johor: Johor) -> None:
    """Left or beyond, line by line."""
    said = text_of(johor.door.page(f"/sites/{SITE}"))

    assert "Left or beyond" in said
    assert re.search(r"(pieces|TPP) beyond", said)


def test_a_site_with_nothing_to_compare_is_no_trouble(scene: Scene, door: Door) -> None:
    """The overview says so, and does not list it among the sites to look at."""
    scene.enter(declared(site_of("johor")))

    assert "nothing to compare" in text_of(door.page("/"))
    assert "No site fits." in text_of(door.page("/?show=trouble"))


def test_a_site_says_what_cannot_be_seen(johor: Johor) -> None:
    """Every sentence of it, and the tables that were used."""
    answer = johor.door.page(f"/sites/{SITE}")
    said = text_of(answer)

    assert all(sentence in said for sentence in CANNOT_SEE)
    assert "us-diffusion-2025 2025-01-13.3 · codified not enforced" in said


def test_every_number_that_is_missing_leads_to_its_receipt(johor: Johor) -> None:
    """A hole names the serial and links to the event."""
    page = johor.door.page(f"/sites/{SITE}").text

    assert "SRV-2" in page
    assert f'href="/events/{johor.events["servers"]}"' in page


def test_a_host_shows_where_its_chain_is_broken(scene: Scene, door: Door) -> None:
    """Numbers that never arrived stand between those that did."""
    scene.enter(declared())
    host = scene.host("johor", "a")
    scene.token_of(host, scene.now_ms)
    scene.token_of(host, scene.now_ms, skip=2)

    assert "2 to 3 never arrived" in text_of(door.page(f"/hosts/{host.id}"))


def test_nothing_yet_is_a_page_of_its_own(door: Door) -> None:
    """An empty collector says what to do."""
    assert "No site yet." in text_of(door.page("/"))


def test_an_empty_site_says_what_would_fill_it(scene: Scene, door: Door) -> None:
    """No empty tables."""
    scene.enter(declared(site_of("johor")))
    said = text_of(door.page("/sites/johor"))

    assert "nothing to compare" in said
    assert "agrees" not in said
    assert "Nothing is booked and nothing was seen." in said
    assert "No host is enrolled here." in said
    assert "No licence or exception covers this site" in said


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/sites/nowhere", 404, "unknown-site"),
        ("/nothing", 404, "not-found"),
        ("/?as_of=never", 400, "invalid-parameter"),
    ],
)
def test_what_goes_wrong_is_said_on_a_page(
    path: str, status: int, words: str, johor: Johor
) -> None:
    """With the code, what happened, and a way out."""
    answer = johor.door.page(path)

    assert answer.status_code == status
    assert words in answer.text
    assert 'href="/"' in answer.text


def test_no_permission_is_a_page_too(johor: Johor) -> None:
    """It tells an operator whom to ask."""
    session = johor.door.log_in(johor.door.token(Role.OPERATOR, FOREIGN))
    said = text_of(johor.door.page(f"/sites/{SITE}", session=session))

    assert "outside-scope" in said
    assert "ask an administrator" in said.casefold()


def test_markup_in_names_is_text(scene: Scene, door: Door) -> None:
    """Whatever somebody enters as a name, it is shown and never run."""
    evil = "<script>alert(1)</script>"
    scene.enter(declared(msgspec.structs.replace(site_of("johor"), name=evil)))

    for path in ("/", "/sites/johor"):
        page = door.page(path).text
        assert "<script" not in page
        assert "&lt;script&gt;" in page
