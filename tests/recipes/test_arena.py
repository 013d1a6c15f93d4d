"""The arena: one network and budget for every rule, and heads that change nothing else."""

from infotorch.recipes.arena import RULES, WITH_HEADS, WITHOUT_LABELS
from infotorch.recipes.registry import variants_of

TABLE = {row.variant: row for row in variants_of("arena")}
RULES_OF = RULES | WITHOUT_LABELS


def test_at_least_fifteen_rules_with_heads_and_without():
    rules = [name for name in TABLE if name.removesuffix("-head") in RULES_OF]
    assert len(RULES_OF) >= 15
    assert sorted(rules) == sorted([*RULES_OF, *(f"{name}-head" for name in WITH_HEADS)])
    assert set(TABLE) - set(rules) == {"bp", "deep-bp", "random"}


def test_rows_differ_in_their_rule_alone():
    first = TABLE["readout"].model_dump()
    for row in TABLE.values():
        ours = row.model_dump()
        for place in ("variant", "description", "plan"):
            ours.pop(place)
        if row.variant == "forward-forward":
            ours["network"]["norm"] = "batch"
        ours["optimizer"]["lr"] = first["optimizer"]["lr"]  # found by the row's search
        assert ours == {key: value for key, value in first.items() if key in ours}, row.variant
    for name, (objective, _) in RULES_OF.items():
        assert TABLE[name].plan.objectives == (objective,) * 3 + ("CE",)
        assert TABLE[name].plan.isolated
        assert TABLE[name].plan.order == "simultaneous"


def test_a_head_is_all_that_sets_its_row_apart():
    for name in WITH_HEADS:
        plain, behind = TABLE[name].plan.model_dump(), TABLE[f"{name}-head"].plan.model_dump()
        parts = RULES_OF[name][0].split("+")
        for part in parts:
            head = behind["options"][part].pop("auxiliary")
            assert head == {"kind": "convolutions", "channels": 128, "locations": 7}
            if not behind["options"][part]:
                del behind["options"][part]
        assert behind == plain


def test_deep_supervision_has_our_losses_with_gradients_that_cross():
    ours, deep = TABLE["supcon-readout"].plan.model_dump(), TABLE["deep-bp"].plan.model_dump()
    assert (ours.pop("isolated"), deep.pop("isolated")) == (True, False)
    assert ours == deep
