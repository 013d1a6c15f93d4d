import re

import pytest

from infotorch.recipes.registry import find_recipe
from infotorch.recipes.search_ranges import read_range
from infotorch.recipes.search_settings import SearchRange

DEMO = find_recipe("demo", "bp")


@pytest.mark.parametrize(
    ("text", "key", "where"),
    [
        ("optimizer.lr=1e-4:1e-1:log", "optimizer.lr", {"low": 1e-4, "high": 0.1}),
        (" optimizer.weight_decay = 0:1 ", "optimizer.weight_decay", {"low": 0, "high": 1, "log": False}),
        ("epochs=1:10", "epochs", {"low": 1, "high": 10, "log": False, "whole": True}),
        ("data.limit=100:1000:log", "data.limit", {"low": 100, "high": 1000, "whole": True}),
        ("plan.options.X:renyi.k=2:9", "plan.options.X:renyi.k", {"low": 2, "high": 9, "log": False, "whole": True}),
        ("plan.options.Y:supcon.temperature=0.1:1", "plan.options.Y:supcon.temperature",
         {"low": 0.1, "high": 1, "log": False}),
        ("network.norm=none, batch,none", "network.norm", {"values": ("none", "batch")}),
        ("batch_size=32,64,128", "batch_size", {"values": (32, 64, 128)}),
        ('plan.objectives=["CE","Y:readout"]', "plan.objectives", {"values": ("CE", "Y:readout")}),
        ("data.limit=100,none", "data.limit", {"values": (100, None)}),
    ],
)  # fmt: skip
def test_a_range_is_read_as_the_setting_takes_it(text, key, where):
    assert read_range(DEMO, text) == (key, SearchRange(**where))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optimizer.lr", "--set-range takes key=low:high, key=low:high:log or key=a,b,c, got 'optimizer.lr'."),
        ("optimizer.lr=", "--set-range takes key=low:high, key=low:high:log or key=a,b,c, got 'optimizer.lr='."),
        ("optimizer.lr=0.1", "--set-range takes key=low:high, key=low:high:log or key=a,b,c, got 'optimizer.lr=0.1'."),
        ("optimizer.lr=low:high", "got 'optimizer.lr=low:high'."),
        ("optimizer.lr=0.1:1:lin", "got 'optimizer.lr=0.1:1:lin'."),
        ("optimizer.lr=0.1:1:log:2", "got 'optimizer.lr=0.1:1:log:2'."),
        ("optimizer.lr=1:0.1", "--set-range optimizer.lr: low must be below high, and both finite, got '1:0.1'."),
        ("optimizer.lr=nan:1", "--set-range optimizer.lr: low must be below high, and both finite, got 'nan:1'."),
        ("optimizer.lr=0:inf", "low must be below high, and both finite, got '0:inf'."),
        ("optimizer.lr=0:1:log", "optimizer.lr: low must be above 0 on a logarithmic scale, got '0:1:log'."),
        ("epochs=1:2.5", "--set-range epochs: both ends must be whole numbers, got '1:2.5'."),
        ("epochs=0:5", "demo: epochs: input should be greater than or equal to 1, got 0."),
        ("optimizer.lr=-1:1", "demo: optimizer.lr: input should be greater than 0, got -1.0."),
        ("optimzer.lr=0.1:1", "demo has no setting 'optimzer.lr'; did you mean optimizer.lr"),
        ("network.norm=none,bach", "demo: network.norm: there is no value 'bach'; did you mean batch?"),
        ("network.norm=batch,batch", "network.norm must have two choices or more, got 'batch,batch'; fix it by --set "),
        ("network.norm=batch,", "each choice must be a number, a word, true, false or none, got ''."),
        ('network.norm=["batch"', "--set-range network.norm: '[\"batch\"' is no JSON list"),
        ("network.norm=[[1],[2]]", "each choice must be a number, a word, true, false or none, got [1]."),
        ("search.trials=1:5", "search.trials decides the search itself, and cannot be searched"),
        ("tune=true,false", "tune decides the search itself, and cannot be searched"),
    ],
)  # fmt: skip
def test_what_is_no_range_is_one_line(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        read_range(DEMO, text)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"values": ()}, "a range must be values or an interval, and not empty"),
        ({"values": (1,), "low": 1}, "a range must be values or an interval, and not empty"),
        ({}, "low must be below high, got None and None"),
        ({"low": 2, "high": 1}, "low must be below high, got 2.0 and 1.0"),
        ({"low": 0, "high": 1}, "low must be above 0 on a logarithmic scale, got 0.0"),
    ],
)
def test_a_recipe_cannot_hold_what_is_no_range(settings, message):
    with pytest.raises(ValueError, match=message):
        SearchRange(**settings)
