"""`chipledger-server reconcile --by`: sites together, and nothing netted."""

from pathlib import Path

import pytest

from chipledger_testing.book import H100
from chipledger_testing.commands import Commands


@pytest.mark.parametrize("by", ["parent", "operator", "consignee", "country"])
def test_sites_are_brought_together_by_what_they_have_in_common(tmp_path: Path, by: str) -> None:
    """Two sites of one owner: one sum, as JSON and in words."""
    commands = Commands(tmp_path)
    commands.initialise()
    for site, pieces in (("johor", "3"), ("muar", "5")):
        commands.site(site)
        commands.done("receive", "--site", site, "--sku", H100, "--pieces", pieces)

    (group,) = commands.answer("reconcile", "--by", by)

    assert (group["sites"], group["physical"]) == (["johor", "muar"], {"unaccounted": 2})
    assert (group["rows"][0]["book"], group["rows"][0]["sites_unaccounted"]) == (8, 2)
    assert "physical: 2 unaccounted" in commands.done("reconcile", "--by", by)
