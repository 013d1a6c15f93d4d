"""The campaign's page and its figures say the same, and a failure is told."""

import json
import sys
import types

from campaign import __main__ as campaign
from campaign.part import Part


def test_the_page_shows_the_committed_figures():
    figures = json.loads(campaign.FIGURES.read_text()) if campaign.FIGURES.exists() else {}
    shown = campaign.PAGE.read_text().split("<!-- campaign -->\n")[1].split("<!-- end -->\n")[0]
    assert shown == (campaign.table(figures) if figures else "")


def test_figures_and_page_are_written_and_a_failure_is_an_exit_code(tmp_path, monkeypatch, capsys):
    def run(seed, scale, scratch):
        part = Part()
        for number in range(int(10 * scale)):
            part.count("toy trial")
            part.check(number + seed != 3, f"trial {number} broke")
        assert scratch.is_dir()
        return part

    monkeypatch.setitem(sys.modules, "campaign.soak", types.SimpleNamespace(run=run))
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- campaign -->\nold\n<!-- end -->\nafter\n")
    monkeypatch.setattr(campaign, "FIGURES", tmp_path / "figures.json")
    monkeypatch.setattr(campaign, "PAGE", page)
    monkeypatch.setattr(sys, "argv", ["campaign", "soak", "--scale", "0.2"])
    assert campaign.main() == 0
    assert json.loads((tmp_path / "figures.json").read_text())["soak"]["tried"] == {"toy trial": 2}
    monkeypatch.setattr(sys, "argv", ["campaign", "soak", "--seed", "2"])
    assert campaign.main() == 1
    assert "soak: 10 trials, 1 failures" in capsys.readouterr().out
    text = page.read_text()
    assert text.startswith("before\n<!-- campaign -->\n| part |")
    assert text.endswith("- trial 1 broke\n<!-- end -->\nafter\n")
