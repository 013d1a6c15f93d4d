"""Controls of MOLE's tables differ in one thing; the rows `wide-...` are searched alike."""

import importlib

import pytest

from infotorch.recipes.recipe import Recipe
from infotorch.recipes.registry import variants_of

TABLES = ("mole-adult", "mole-mnist", "mole-cora", "mole-mutagenicity")
#: What names a variant, and what is searched: it decides no number.
WORDS = ("variant", "description", "published", "search", "changed")

#: Table and control -> the rows that it is a control of.
FROZEN = {
    ("mole-adult", "random-mine"): ("mine",),
    ("mole-adult", "random-matrix"): ("matrix",),
    ("mole-adult", "random-infonce"): ("infonce",),
    ("mole-mnist", "random-mine"): ("mine", "dim-mine"),
    ("mole-mnist", "random-matrix"): ("matrix",),
    ("mole-mnist-1pct", "random"): (),
    ("mole-mutagenicity", "random-mine"): ("mine", "gmi-mine"),
    ("mole-mutagenicity", "random-matrix"): ("matrix",),
    ("mole-cora", "random-mine"): ("gmi-mine",),
    ("mole-cora", "random-readout"): ("gmi-readout",),
    ("mole-cora", "random-best"): ("best",),
}
READOUT = {
    ("mole-adult", "mine-readout"): "mine",
    ("mole-adult", "matrix-readout"): "matrix",
    ("mole-adult", "infonce-readout"): "infonce",
    ("mole-mnist", "mine-readout"): "mine",
    ("mole-mnist", "matrix-readout"): "matrix",
    ("mole-mnist", "dim-readout"): "dim-mine",
    ("mole-mutagenicity", "mine-readout"): "mine",
    ("mole-mutagenicity", "matrix-readout"): "matrix",
    ("mole-mutagenicity", "gmi-readout"): "gmi-mine",
    ("mole-cora", "gmi-readout"): "gmi-mine",
}


def rows_of(table: str) -> dict[str, Recipe]:
    return {row.variant: row for row in variants_of(table) if isinstance(row, Recipe)}


def deciding(row: Recipe, *left: str) -> dict[str, object]:
    """What decides a number, without some of its settings and those of objectives that the row does not have."""
    content = row.model_dump(exclude=set(WORDS))
    plan = content["plan"]
    used = {part for name in row.plan.objectives for part in name.replace("|", "+").split("+")}
    plan["options"] = {name: options for name, options in plan["options"].items() if name in used}
    for key in left:
        del plan[key]
    return content


@pytest.mark.parametrize(("table", "control"), FROZEN)
def test_a_frozen_control_ends_in_the_same_y_and_has_all_settings_of_its_row(table, control):
    rows = rows_of(table)
    for name in FROZEN[table, control]:
        wanted = tuple("frozen" if part.startswith("X") else part for part in rows[name].plan.objectives)
        assert rows[control].plan.objectives == wanted
        assert deciding(rows[control], "objectives", "options") == deciding(rows[name], "objectives", "options")
        shared = rows[control].plan.options
        assert shared == {key: rows[name].plan.options[key] for key in shared}
        assert not rows[control].search.space


@pytest.mark.parametrize(("table", "control"), READOUT)
def test_x_of_the_paper_is_seen_with_a_read_out_too(table, control):
    rows = rows_of(table)
    row = rows[READOUT[table, control]]
    assert rows[control].plan.objectives == tuple("Y" if part[0] == "Y" else part for part in row.plan.objectives)
    assert deciding(rows[control], "objectives", "options") == deciding(row, "objectives", "options")
    shared = rows[control].plan.options
    assert shared == {key: row.plan.options[key] for key in shared}


def test_with_600_labels_random_is_the_control_of_label_free():
    rows = rows_of("mole-mnist-1pct")
    assert rows["random"].plan.objectives == ("frozen", "frozen", *rows["label-free"].plan.objectives[2:])


@pytest.mark.parametrize("table", TABLES)
def test_every_row_whose_gradients_cross_has_an_isolated_twin(table):
    """Of the same settings, or searched over the same ones."""
    rows = rows_of(table).values()
    crossed, isolated = ([row for row in rows if row.plan.isolated == kind] for kind in (False, True))
    assert crossed

    def searched(row):
        return (row.plan.objectives, row.plan.order, row.epochs, row.search)

    for row in crossed:
        assert any(
            searched(other) == searched(row) or deciding(other, "isolated") == deciding(row, "isolated")
            for other in isolated
        ), row.variant


@pytest.mark.parametrize(
    ("table", "crossed", "isolated"),
    [
        ("mole-adult", "best-crossed", "best"),
        ("mole-mnist", "best-crossed", "best"),
        ("mole-mutagenicity", "deep-bp", "best"),
        ("mole-cora", "best-crossed", "best-together"),
        ("mole-cora", "deep-bp", "gmi-together"),
    ],
)
def test_isolation_alone_tells_these_apart(table, crossed, isolated):
    rows = rows_of(table)
    assert deciding(rows[crossed], "isolated") == deciding(rows[isolated], "isolated")


def test_cora_at_once_has_the_losses_and_the_dropout_of_best():
    rows = rows_of("mole-cora")
    for name in ("best-together", "best-crossed"):
        assert rows[name].plan.objectives == rows["best"].plan.objectives
        assert (rows[name].network, rows[name].optimizer.lr) == (rows["best"].network, rows["best"].optimizer.lr)


@pytest.mark.parametrize(("table", "row"), [("mole-adult", "mine"), ("mole-cora", "gmi-mine")])
def test_parallel_encoders_have_the_width_of_one(table, row):
    rows = rows_of(table)
    first, *others = rows["parallel"].plan.objectives
    assert (first.split("|"), others) == ([rows[row].plan.objectives[0]] * 2, list(rows[row].plan.objectives[1:]))
    assert deciding(rows["parallel"], "objectives") == deciding(rows[row], "objectives")


@pytest.mark.parametrize("table", ["mole-adult", "mole-mnist", "mole-mnist-1pct"])
def test_automatic_assignment_is_a_row(table):
    assert rows_of(table)["auto"].searches_objectives


@pytest.mark.parametrize("table", TABLES)
def test_wide_rows_are_searched_in_one_space(table):
    wide = [row for name, row in rows_of(table).items() if name.startswith("wide-")]
    shared = {"optimizer.lr", "optimizer.weight_decay", "network.dropout"} | set(wide[0].search.space) & {
        "network.norm"
    }
    spaces = {tuple((key, row.search.space[key]) for key in sorted(shared)) for row in wide}
    assert len(spaces) == 1
    for row in wide:  # beside it an objective's own settings
        assert all(key.startswith("plan.options.") for key in set(row.search.space) - shared)
        assert row.search.trials == 16


@pytest.mark.parametrize("table", TABLES)
def test_what_was_found_in_narrow_spaces_lies_well_inside_of_the_wide_one(table):
    found = importlib.import_module(f"infotorch.recipes.{table.replace('-', '_')}").FOUND
    space = rows_of(table)["wide-bp"].search.space
    for name, settings in found.items():
        if name.startswith("wide-"):
            continue
        for key in set(settings) & set(space):
            where, value = space[key], settings[key]
            if where.values is None and value:  # a weight decay of 0 has no place on a logarithmic scale
                assert 3 * where.low < value < where.high / 3, f"{table} {name} {key}"
            elif key == "network.dropout":
                assert value < max(where.values)
