"""The variants of the denoising tables that other tables of proximal splitting do not have."""

import itertools

import pytest

from infotorch.recipes.registry import variants_of

TABLES = ("prox-vae-mnist", "prox-vae-cifar10")
#: Names that the paper's own combinations of penalty and gamma have.
PLAIN = {("l2", 1e-4): "nadam-paper", ("l1", 0.01): "nadam-l1", ("huber", 0.01): "nadam-huber"}
WORDS = {"variant", "description", "published", "search"}


def rows_of(table):
    return {row.variant: row for row in variants_of(table)}


@pytest.mark.parametrize("table", TABLES)
def test_nadam_has_each_penalty_at_each_gamma_and_nothing_else_differs(table):
    rows, rest = rows_of(table), []
    for penalty, gamma in itertools.product(("l2", "l1", "huber"), (1e-4, 0.01, 0.1)):
        row = rows[PLAIN.get((penalty, gamma), f"nadam-{penalty}-{gamma:g}")]
        assert (row.split.penalty, row.split.forward_lr, row.split.order) == (penalty, gamma, 2)
        assert (row.optimizer.lr, row.split.step_size, row.search.space) == (1e-4, 0.1, {})
        rest.append(row.model_copy(update={"split": rows["nadam-paper"].split}).model_dump(exclude=WORDS))
    assert all(one == rest[0] for one in rest)


@pytest.mark.parametrize("table", TABLES)
def test_adam_has_the_other_gamma_of_its_text(table):
    rows = rows_of(table)
    for gamma in (0.01, 0.1):
        row, paper = rows[f"adam-l2-{gamma:g}"], rows["adam-paper"]
        assert row.split == paper.split.model_copy(update={"forward_lr": gamma})
        assert row.optimizer == paper.optimizer


@pytest.mark.parametrize("table", TABLES)
def test_the_attempt_that_was_dropped_and_the_later_hand_off_are_searched_as_order_2_is(table):
    rows = rows_of(table)
    assert (rows["adam-whole"].split.order, rows["adam-whole"].split.handoff) == ("whole", "before")
    assert (rows["adam-after"].split.order, rows["adam-after"].split.handoff) == (2, "after")
    assert rows["adam-whole"].search == rows["adam-after"].search == rows["adam-order2"].search
