import pytest
import torch
from torch import nn

from infotorch.training.assignment import assignments, choose_assignment
from infotorch.training.fit import fit


def recording(scores):
    """A `train_and_score` of given scores that notes what it was called with."""
    calls = []

    def train_and_score(model, assignment, rows, held_out):
        calls.append((model, assignment, rows, held_out))
        return scores[assignment]

    return train_and_score, calls


def numbered(count, classes=3):
    return torch.arange(float(count))[:, None], torch.arange(count) % classes


class TestAssignments:
    def test_x_modules_come_first_and_cross_entropy_last(self):
        assert assignments(1) == ["CE"]
        assert assignments(2) == ["Y,CE", "X,CE"]
        assert assignments(4) == ["Y,Y,Y,CE", "X,Y,Y,CE", "X,X,Y,CE", "X,X,X,CE"]

    @pytest.mark.parametrize(
        ("count", "kind", "message"),
        [
            (0, ValueError, "must be at least 1, got 0"),
            (2.5, TypeError, "must be an integer, got 2.5"),
        ],
    )
    def test_other_counts_are_refused(self, count, kind, message):
        with pytest.raises(kind, match=f"assignments: num_modules {message}"):
            assignments(count)


class TestChoice:
    def test_the_best_on_held_out_rows_wins_and_each_is_reported(self):
        scores = {"Y,Y,CE": 0.5, "X,Y,CE": 0.75, "X,X,CE": 0.25}
        score, calls = recording(scores)
        found = choose_assignment(nn.Linear(1, 3), *numbered(60), num_modules=3, train_and_score=score)
        assert found == ("X,Y,CE", scores)
        assert [assignment for _, assignment, *_ in calls] == list(scores)

    def test_of_equals_the_one_with_fewest_encoders_wins(self):
        score, _ = recording({"Y,Y,CE": 0.5, "X,Y,CE": 0.5, "X,X,CE": 0.5})
        assert choose_assignment(nn.Linear(1, 3), *numbered(60), num_modules=3, train_and_score=score)[0] == "Y,Y,CE"

    def test_each_starts_from_a_copy_of_the_model(self):
        model = nn.Linear(1, 3)
        before = model.weight.detach().clone()

        def spoil(copied, *_):
            assert copied is not model
            assert torch.equal(copied.weight, before)
            with torch.no_grad():
                copied.weight.add_(1)
            return 0.5

        choose_assignment(model, *numbered(60), num_modules=3, train_and_score=spoil)
        assert torch.equal(model.weight, before)

    def test_rows_are_held_out_by_class_the_same_for_each_and_nobody_learns_from_them(self):
        x, y = numbered(90)
        score, calls = recording(dict.fromkeys(assignments(2), 0.5))
        choose_assignment(nn.Linear(1, 3), x, y, num_modules=2, train_and_score=score, validation=0.2)
        for _, _, (learnt_x, learnt_y), (held_x, held_y) in calls:
            assert torch.bincount(held_y).tolist() == [6, 6, 6]
            assert sorted(torch.cat([learnt_x, held_x]).flatten().tolist()) == x.flatten().tolist()
            assert torch.equal(learnt_x.flatten().long() % 3, learnt_y)
            assert torch.equal(held_x.flatten().long() % 3, held_y)
            assert torch.equal(held_x, calls[0][3][0])

    def test_the_seed_decides_which(self):
        held = []
        for seed in (0, 0, 1):
            score, calls = recording({"CE": 0.5})
            choose_assignment(nn.Linear(1, 3), *numbered(90), num_modules=1, train_and_score=score, seed=seed)
            held.append(calls[0][3][0])
        assert torch.equal(held[0], held[1])
        assert not torch.equal(held[0], held[2])

    def test_rows_without_a_label_are_learnt_from_and_never_held_out(self):
        x, y = numbered(90)
        y = torch.where(torch.arange(90) < 30, y, -1)
        score, calls = recording({"CE": 0.5})
        choose_assignment(nn.Linear(1, 3), x, y, num_modules=1, train_and_score=score)
        (_, _, (_, learnt_y), (held_x, held_y)) = calls[0]
        assert len(held_y) == 3
        assert held_x.max() < 30
        assert int((learnt_y == -1).sum()) == 60

    @pytest.mark.parametrize("labelled", [0, 1, 4])
    def test_too_few_labels_to_hold_some_out_are_refused(self, labelled):
        x, y = numbered(60)
        y = torch.where(torch.arange(60) < labelled, y, -1)
        message = rf"a plan of 'auto' needs labelled samples to choose on, got {labelled} of them"
        with pytest.raises(ValueError, match=message):
            choose_assignment(nn.Linear(1, 3), x, y, num_modules=2, train_and_score=lambda *_: 0.5)

    def test_the_fewest_that_can_be_held_out(self):
        x, y = numbered(60)
        score, calls = recording({"CE": 0.5})
        y = torch.where(torch.arange(60) < 6, y, -1)
        choose_assignment(nn.Linear(1, 3), x, y, num_modules=1, train_and_score=score)
        assert len(calls[0][3][1]) == 1


def spread(count=240):
    """Two classes told apart by a small column beside a large one that tells nothing."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(count) % 2
    x = torch.randn(count, 6, generator=generator) * 4
    x[:, 0] = (2.0 * y - 1) + 0.2 * torch.randn(count, generator=generator)
    return x, y


def narrow(width=1):
    """Three modules; one unit in the first cannot keep both the input and the class."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(6, width), nn.Linear(width, 4), nn.ReLU(), nn.Linear(4, 2))


SETTINGS = {"epochs": 8, "batch_size": 32, "lr": 5e-2}


class TestFit:
    def test_where_encoding_the_input_loses_the_class_the_decoder_wins(self):
        """A unit that reconstructs keeps the directions of largest variance, which say nothing of the class."""
        result = fit(narrow(), spread(), plan="auto", **SETTINGS)
        assert list(result.assignments) == ["Y,Y,CE", "X,Y,CE", "X,X,CE"]
        assert result.assignments["Y,Y,CE"] > 0.9
        assert max(result.assignments["X,Y,CE"], result.assignments["X,X,CE"]) < 0.8  # 24 rows held out: s.e. 0.1
        assert type(result.plan[0].objective).__name__ == "ReadoutInformation"
        assert result.metrics["train_accuracy"] > 0.9

    def test_where_few_labels_are_noisy_and_the_input_is_clean_the_encoder_wins(self):
        """A read-out learns noisy labels in 150 columns by heart; the direction of most variance tells the class."""
        generator = torch.Generator().manual_seed(2)
        hidden = torch.arange(600) % 2
        x = torch.randn(600, 150, generator=generator) + (2 * hidden[:, None] - 1) * 2.5 / 150**0.5
        flipped = torch.where(torch.rand(600, generator=generator) < 0.2, 1 - hidden, hidden)
        y = torch.where(torch.arange(600) < 240, flipped, -1)
        with torch.random.fork_rng():
            torch.manual_seed(1)
            model = nn.Sequential(nn.Linear(150, 1), nn.Linear(1, 2))
        result = fit(model, (x, y), plan="auto", epochs=12, batch_size=50, lr=2e-2)
        # 24 rows held out, with labels of which a fifth is wrong
        assert result.assignments["X,CE"] > result.assignments["Y,CE"] + 0.1
        assert float((model(x).argmax(dim=1) == hidden).double().mean()) > 0.95

    def test_the_chosen_assignment_is_trained_on_all_rows_from_the_models_own_weights(self):
        chosen, twin = narrow(4), narrow(4)
        result = fit(chosen, spread(), plan="auto", seed=3, **SETTINGS)
        best = max(result.assignments, key=result.assignments.__getitem__)
        plain = fit(twin, spread(), plan=best, seed=3, **SETTINGS)
        for first, second in zip(chosen.parameters(), twin.parameters(), strict=True):
            assert torch.equal(first, second)
        assert result.metrics == plain.metrics
        assert plain.assignments == {}

    def test_cuts_and_order_hold_for_every_assignment(self):
        result = fit(narrow(4), spread(), plan="auto", cuts=("3",), order="simultaneous", **SETTINGS)
        assert list(result.assignments) == ["Y,CE", "X,CE"]
        assert result.plan.order == "simultaneous"

    def test_one_module_leaves_nothing_to_choose(self):
        assert list(fit(narrow(4), spread(), plan="auto", cuts=(), epochs=1).assignments) == ["CE"]

    def test_a_choice_draws_nothing_from_the_global_stream(self):
        before = torch.get_rng_state()
        fit(narrow(4), spread(), plan="auto", epochs=1)
        assert torch.equal(torch.get_rng_state(), before)

    def test_an_assignment_that_diverges_counts_as_never_right(self):
        x, y = spread()
        result = fit(narrow(4), (x * 1e25, y), plan="auto", epochs=1)
        assert 0.0 in result.assignments.values()

    @pytest.mark.parametrize(
        ("y", "kind", "message"),
        [
            (None, TypeError, "fit: this objective needs class labels, got y=None"),
            (torch.full((240,), -1), ValueError, "fit: every row is unlabelled"),
            (torch.zeros(240), TypeError, "fit: class labels must be integers"),
            (
                torch.where(torch.arange(240) < 3, 0, -1),
                ValueError,
                "'auto' needs labelled samples to choose on, got 3",
            ),
        ],
    )
    def test_targets_that_leave_nothing_to_choose_on_are_refused(self, y, kind, message):
        with pytest.raises(kind, match=message):
            fit(narrow(4), (spread()[0], y), plan="auto", epochs=1)
