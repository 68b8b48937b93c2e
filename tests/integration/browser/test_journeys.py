"""An auditor's way through the screens, in a real browser, against a real collector."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, Response, expect

from chipledger_testing.collector_process import CollectorProcess
from chipledger_testing.commands import Commands

pytestmark = pytest.mark.browser


@dataclass(slots=True)
class Visit:
    """One browser tab, and everything it did that it should not.

    Attributes:
        page: the tab.
        origin: the only server it may talk to.
        elsewhere: requests to any other.
        errors: what it complained about.
        unguarded: pages that came without a policy.
    """

    page: Page
    origin: str
    elsewhere: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unguarded: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Listen to everything the tab does."""
        self.page.on("request", lambda request: self._requested(request.url))
        self.page.on("console", lambda message: self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("response", lambda response: self._answered(response))  # noqa: PLW0108 - kept by reference

    def log_in(self, token: str) -> None:
        """Paste a token."""
        self.page.goto(f"{self.origin}/")
        self.page.get_by_label("Your token").fill(token)
        self.page.get_by_role("button", name="Log in").click()
        expect(self.page.get_by_role("heading", level=1)).to_have_text("Sites")

    def calm(self) -> None:
        """Assert that nothing happened that should not."""
        assert (self.elsewhere, self.errors, self.unguarded) == ([], [], [])

    def _requested(self, url: str) -> None:
        if not url.startswith(f"{self.origin}/"):
            self.elsewhere.append(url)

    def _answered(self, response: Response) -> None:
        policy = response.headers.get("content-security-policy", "")
        if not policy.startswith("default-src 'none';"):
            self.unguarded.append(response.url)


@pytest.fixture(params=["light", "dark", "narrow"])
def visit(
    request: pytest.FixtureRequest, browser: Browser, collector: CollectorProcess
) -> Iterator[Visit]:
    """Return a tab of its own, by day, by night, and on a small screen."""
    width = 420 if request.param == "narrow" else 1360
    context = browser.new_context(
        color_scheme="dark" if request.param == "dark" else "light",
        viewport={"width": width, "height": 900},
    )
    made = Visit(context.new_page(), f"http://127.0.0.1:{collector.port}")
    made.watch()
    yield made
    context.close()


def test_from_the_overview_to_the_missing_server_and_to_one_chip(
    visit: Visit, auditor: str
) -> None:
    """Overview, site, host, chip: three clicks, nothing from elsewhere, nothing to complain of."""
    page = visit.page
    visit.log_in(auditor)
    _fits(page)
    page.get_by_role("link", name="Johor").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Johor")
    expect(page.get_by_text("SRV-2")).to_be_visible()
    expect(page.get_by_text("What this cannot see")).to_be_visible()
    _fits(page)
    page.locator("section", has=page.get_by_role("heading", name="Hosts")).get_by_role(
        "link"
    ).first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Host h-")
    expect(page.get_by_text("self-reported (G1)").first).to_be_visible()
    _fits(page)
    page.get_by_role("link", name="Chip 1", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Chip 1")
    expect(page.get_by_text("Nothing here was signed by the chip itself.")).to_be_visible()
    _fits(page)
    visit.calm()


def test_a_journey_into_the_past_and_back(visit: Visit, auditor: str) -> None:
    """Choose a day; the page says that it shows the past, and leads back to now."""
    page = visit.page
    visit.log_in(auditor)
    page.get_by_label("As of").fill("2024-01-01")
    page.get_by_role("button", name="Go").click()
    expect(page.get_by_role("status")).to_contain_text("You are looking at the past")
    page.get_by_role("link", name="Johor").click()
    expect(page.get_by_text("Nothing is booked and nothing was seen.")).to_be_visible()
    page.get_by_role("link", name="Back to now").click()
    expect(page.get_by_text("SRV-2")).to_be_visible()
    visit.calm()


def test_the_keyboard_is_enough(visit: Visit, auditor: str) -> None:
    """The first stop skips to the content; from there the next ones lead on."""
    page = visit.page
    visit.log_in(auditor)
    page.goto(f"{visit.origin}/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Johor":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Johor")
    visit.calm()


def test_filter_and_sort_without_a_script(visit: Visit, auditor: str) -> None:
    """By form and by link."""
    page = visit.page
    visit.log_in(auditor)
    rows = page.locator("table.sites tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_role("link", name="Site", exact=True).click()
    expect(rows.first).to_contain_text("Johor")
    page.get_by_role("link", name="Site", exact=True).click()
    expect(rows.first).to_contain_text("Muar")
    page.get_by_role("searchbox", name="Find").fill("newco")
    page.get_by_role("button", name="Filter").click()
    expect(rows).to_have_count(1)
    visit.calm()


def test_a_link_lets_in_and_logging_out_lets_out(
    visit: Visit, auditor: str, collector: CollectorProcess
) -> None:
    """The link of a principal opens the screens after a click."""
    assert auditor
    page = visit.page
    path = Commands(collector.folder).done("principal", "link", "ada").strip()
    page.goto(f"{visit.origin}{path}")
    page.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sites")
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_label("Your token")).to_be_visible()
    page.goto(f"{visit.origin}/sites/johor")
    expect(page.get_by_label("Your token")).to_be_visible()
    visit.calm()


def test_paper_shows_the_facts_and_not_the_controls(visit: Visit, auditor: str) -> None:
    """In print the forms are gone and the limits are not."""
    page = visit.page
    visit.log_in(auditor)
    page.get_by_role("link", name="Johor").click()
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Go")).to_be_hidden()
    expect(page.get_by_text("What this cannot see")).to_be_visible()
    visit.calm()


def _fits(page: Page) -> None:
    """Assert that nothing but tables is wider than the screen."""
    width = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert width <= 0, f"{page.url} is {width} pixels too wide"
