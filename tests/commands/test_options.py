"""What commands take: texts that parse, texts that do not, and folders that are free."""

from pathlib import Path

import pytest
import typer

from infotorch.commands.options import ascending, chosen, directory_for, positive, share


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (share, "1", 1.0),
        (share, "6.25e-2", 0.0625),
        (positive, "0.01", 0.01),
        (positive, " 30 ", 30.0),
        (ascending, "0.1", [0.1]),
        (ascending, "1e-3,0.01, 0.1", [0.001, 0.01, 0.1]),
    ],
)
def test_what_parses(parse, text, value):
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "rule", "texts"),
    [
        (share, "must be a number above 0 and at most 1", ("0", "1.01", "nan", "-0.1", "half", "")),
        (positive, "must be a positive number", ("0", "-1", "nan", "inf", "much", "")),
        (
            ascending,
            "must be positive numbers that ascend, such as 0.001,0.01,0.1",
            ("", ",", "0.1,", "0,1", "-1,1", "0.1,0.1", "0.2,0.1", "0.1,nan", "0.1,inf", "0.1;0.2", "a,b"),
        ),
    ],
)
def test_what_does_not(parse, rule, texts):
    for text in texts:
        with pytest.raises(typer.BadParameter) as refused:
            parse(text)
        assert str(refused.value) == f"{rule}, got {text!r}."


def test_rows_are_named_once_with_their_settings_changed():
    rows = chosen(["demo", "demo"], ["bp", "bp"], ["epochs=7"])
    assert [(row.name, row.variant, row.epochs) for row in rows] == [("demo", "bp", 7)]
    every = [row.variant for row in chosen(["demo"], None, [])]
    assert [row.variant for row in chosen(["demo"], None, [], first=True)] == every[:1]
    for names, variants, settings, message in [
        (["demoo"], None, [], "there is no recipe 'demoo'; did you mean demo"),
        (["demo"], ["bq"], [], "demo has no variant 'bq'; did you mean bp"),
        (["demo"], ["bp"], ["epohcs=1"], "demo has no setting 'epohcs'"),
        (["demo"], ["bp"], ["data.name=digitz"], "there is no data set 'digitz'"),
    ]:
        with pytest.raises(ValueError, match=message):
            chosen(names, variants, settings)


def test_a_new_folder_has_the_next_number_and_resume_takes_the_last(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert directory_for(Path("mine"), "demo", resume=False) == Path("mine")
    assert directory_for(None, "demo", resume=True) == Path("runs/demo")
    for name in ("demo", "demo-2"):
        Path("runs", name).mkdir(parents=True)
    assert directory_for(None, "demo", resume=False) == Path("runs/demo-3")
    assert directory_for(None, "demo", resume=True) == Path("runs/demo-2")
