"""A recipe's run with auxiliary networks: what they cost stands in its outcome."""

import json
import sys

import pytest

from infotorch.commands.main import main


def run(monkeypatch, out, *assignments):
    words = ["run", "demo", "--variant", "best", "--device", "cpu", "--out", out]
    settings = ("epochs=1", "data.limit=200", *assignments)
    monkeypatch.setattr(sys, "argv", ["infotorch", *map(str, words), *(w for s in settings for w in ("--set", s))])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 0
    return json.loads((out / "outcome.json").read_text())["memory"]


def test_their_weights_are_told(monkeypatch, tmp_path, capsys):
    without = run(monkeypatch, tmp_path / "without")
    begins = "plan.options.Y:readout.auxiliary"
    followed = run(monkeypatch, tmp_path / "with", f"{begins}.kind=following", f"{begins}.copies=1")
    assert "auxiliary_parameter_bytes" not in without
    assert followed["auxiliary_parameter_bytes"] > 0
    assert followed["peak_saved_activation_bytes"] >= without["peak_saved_activation_bytes"]
