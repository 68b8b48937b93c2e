"""A physical count in a real browser: plan, commit, draw, sheet, scans, statement."""

import csv
import io
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from chipledger_book.counts.sampling import commitment_of
from chipledger_testing.collector_process import CollectorProcess
from chipledger_testing.commands import Commands

pytestmark = pytest.mark.browser
SEED = bytes(range(1, 33))


def logged_in(browser: Browser, collector: CollectorProcess, token: str) -> Page:
    """Return a tab of somebody who pasted a token."""
    page = browser.new_context(viewport={"width": 1360, "height": 900}).new_page()
    page.goto(f"http://127.0.0.1:{collector.port}/")
    page.get_by_label("Your token").fill(token)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Sites")
    return page


def filled(sheet: str) -> str:
    """Return a sheet on which every chip with a UUID was scanned, and a stray label as well."""
    head = [line for line in sheet.splitlines() if line.startswith("#")]
    rows = list(csv.DictReader(sheet.splitlines()[len(head) :]))
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    for row in rows:
        row["scanned"], row["outcome"] = (row["uuid"], "seen") if row["uuid"] else ("", "missing")
        writer.writerow(row)
    writer.writerow({"outcome": "seen", "scanned": "LABEL-1", "seen_at": "rack 7"})
    return "\n".join((*head, out.getvalue()))


def test_an_auditor_counts_a_site_from_plan_to_ledger(
    browser: Browser, collector: CollectorProcess, auditor: str, tmp_path: Path
) -> None:
    """The figures are live, the seed is committed to before the draw, every scan has its pile."""
    base = f"http://127.0.0.1:{collector.port}"
    page = logged_in(browser, collector, auditor)
    page.goto(f"{base}/sites/johor")
    page.get_by_role("link", name="Samples and counts").click()
    page.get_by_label("What must not go unseen").fill("2")
    page.get_by_label("Time to answer").fill("1h")
    page.get_by_role("button", name="Show the figures").click()
    expect(page.get_by_text("a hole of 2 chips is found with probability")).to_be_visible()
    page.get_by_label("Commitment to your seed").fill(commitment_of(SEED))
    page.get_by_role("button", name="Freeze the population and commit").click()
    expect(page.get_by_text("made by the auditor")).to_be_visible()
    address = page.url

    _announces(page, browser, collector)
    page.get_by_label("Seed").fill(SEED.hex())
    page.get_by_role("button", name="Reveal and draw").click()
    expect(page.get_by_text("have answered since the draw")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name="Sheet as CSV").click()
    sheet = tmp_path / "sheet.csv"
    sheet.write_text(filled(download.value.path().read_text("utf-8")), "utf-8")
    page.goto(f"{address}/paper")
    expect(page.get_by_role("heading", name="Count sheet: johor")).to_be_visible()
    assert page.pdf().startswith(b"%PDF")

    page.goto(address)
    page.get_by_label(re.compile("Filled sheet")).set_input_files(sheet)
    page.get_by_role("button", name="Try it").click()
    expect(page.get_by_text("LABEL-1")).to_be_visible()
    expect(page.get_by_text("no host ever reported this name")).to_be_visible()
    page.get_by_role("button", name="Take this sheet").click()
    expect(page.get_by_role("heading", name="Result")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile("Missing"))).to_be_visible()
    expect(
        page.get_by_text("may still answer").or_(page.get_by_label("Who counted")).first
    ).to_be_visible()


def _announces(page: Page, browser: Browser, collector: CollectorProcess) -> None:
    """The operator knows of no count before the auditor says so, and then of no more than that."""
    address = page.url
    olga = ("principal", "add", "sampled", "--role", "operator", "--site", "johor")
    other = logged_in(browser, collector, Commands(collector.folder).done(*olga).strip())
    other.goto(f"http://127.0.0.1:{collector.port}/sites/johor/samples")
    expect(other.get_by_text("No count of this site is announced.")).to_be_visible()
    page.get_by_role("button", name="Tell the operator").click()
    other.goto(address)
    expect(other.get_by_text("An auditor announced a physical count")).to_be_visible()
