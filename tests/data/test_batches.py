import numpy as np
import pytest
import torch

from campaign.call_adverse import Frame
from infotorch.data.batches import TensorBatches


def rows_of(batches, epoch, start=0):
    return [batch.rows.tolist() for batch in batches.epoch(epoch, start=start)]


@pytest.fixture
def batches():
    return TensorBatches(torch.arange(10.0), torch.arange(10), batch_size=4, seed=3)


def test_an_epoch_holds_every_row_once_and_pairs_x_with_y(batches):
    assert sorted(row for rows in rows_of(batches, 0) for row in rows) == list(range(10))
    for batch in batches.epoch(0):
        assert batch.x.long().tolist() == batch.y.tolist() == batch.rows.tolist()


def test_an_epoch_is_a_function_of_seed_and_number_alone(batches):
    first = rows_of(batches, 0)
    rows_of(batches, 1)
    with torch.random.fork_rng():
        torch.manual_seed(99)
        assert rows_of(batches, 0) == first
    assert rows_of(batches, 1) != first
    assert rows_of(TensorBatches(batches.x, batches.y, batch_size=4, seed=4), 0) != first


def test_an_epoch_can_be_entered_at_any_step(batches):
    whole = rows_of(batches, 5)
    assert [rows_of(batches, 5, start) for start in range(4)] == [whole[start:] for start in range(4)]


def test_sizes(batches):
    assert [len(rows) for rows in rows_of(batches, 0)] == [4, 4, 2]
    nine = TensorBatches(batches.x[:9], None, batch_size=4)
    assert ([len(rows) for rows in rows_of(nine, 0)], len(nine)) == ([4, 5], 2)  # no batch of a single row
    ones = TensorBatches(batches.x[:3], None, batch_size=1)
    assert ([len(rows) for rows in rows_of(ones, 0)], len(ones)) == ([1, 1, 1], 3)
    assert rows_of(TensorBatches(batches.x[:1], None, batch_size=4), 0) == [[0]]
    assert [len(rows) for rows in rows_of(TensorBatches(batches.x[:9], None, batch_size=4, drop_last=True), 0)] == [
        4,
        4,
    ]
    full = TensorBatches(batches.x, None, batch_size=4, drop_last=True)
    assert [len(batch.x) for batch in full.epoch(0)] == [4, 4]
    assert len(full) == 2
    assert next(iter(full.epoch(0))).y is None


def test_without_shuffling_rows_keep_their_order(batches):
    assert rows_of(TensorBatches(batches.x, None, batch_size=10, shuffle=False), 7) == [list(range(10))]


@pytest.mark.parametrize(
    ("x", "y", "settings", "message"),
    [
        (torch.zeros(0), None, {"batch_size": 1}, "x has no samples"),
        (torch.zeros(3), torch.zeros(2), {"batch_size": 1}, "got 3 and 2 rows"),
        (torch.zeros(3), None, {"batch_size": 0}, "batch_size must be at least 1, got 0"),
        (torch.zeros(3), None, {"batch_size": 4, "drop_last": True}, "leaves no batch of 4 in 3 samples"),
    ],
)
def test_wrong_use_is_refused(x, y, settings, message):
    with pytest.raises(ValueError, match=message):
        TensorBatches(x, y, **settings)


class TestLabelled:
    def batches(self, labelled, *, count=40, batch_size=8, **settings):
        y = torch.full((count,), -1)
        y[:: count // labelled] = 1
        assert int((y >= 0).sum()) == labelled
        return TensorBatches(torch.arange(float(count)), y, batch_size=batch_size, seed=3, **settings)

    @pytest.mark.parametrize("labelled", [1, 4, 8, 10, 20])
    @pytest.mark.parametrize("shuffle", [True, False])
    def test_as_many_steps_of_labelled_rows_alone_and_each_row_as_often_as_another(self, labelled, shuffle):
        whole = self.batches(labelled, shuffle=shuffle)
        some = whole.labelled()
        assert len(some) == len(whole) == 5
        counts = torch.zeros(40)
        for epoch in range(40):
            for batch in some.epoch(epoch):
                assert (batch.y >= 0).all()
                assert len(batch.rows) == min(8, labelled)
                assert len(batch.rows.unique()) == len(batch.rows)
                assert batch.x.long().tolist() == batch.rows.tolist()
                counts[batch.rows] += 1
        assert torch.equal(counts > 0, whole.y >= 0)
        # Only what is left at the end of a pass is drawn less often; 200 steps even that out.
        assert counts[whole.y >= 0].min() > 0.6 * counts.max()

    def test_without_shuffling_they_come_in_turn(self):
        some = self.batches(5, batch_size=2, count=10, shuffle=False).labelled()
        assert rows_of(some, 0) == [[0, 2], [4, 6], [8, 0], [2, 4], [6, 8]]
        assert rows_of(some, 0, start=3) == [[2, 4], [6, 8]]

    @pytest.mark.parametrize("labelled", [1, 4, 10, 20])
    @pytest.mark.parametrize("shuffle", [True, False])
    def test_an_epoch_can_be_entered_at_any_step(self, labelled, shuffle):
        some = self.batches(labelled, batch_size=4, shuffle=shuffle).labelled()
        whole = rows_of(some, 5)
        assert len(whole) == 10
        assert [rows_of(some, 5, start) for start in range(11)] == [whole[start:] for start in range(11)]

    def test_passes_of_an_epoch_and_epochs_have_orders_of_their_own(self):
        some = self.batches(20, batch_size=10, count=80).labelled()  # two steps a pass, four passes
        orders = []
        for epoch in (0, 1):
            flat = [row for rows in rows_of(some, epoch) for row in rows]
            orders += [flat[first : first + 20] for first in range(0, 80, 20)]
        assert len(set(map(tuple, orders))) == 8
        assert len({tuple(sorted(order)) for order in orders}) == 1
        assert rows_of(self.batches(20, batch_size=10, count=80).labelled(), 1) == rows_of(some, 1)

    def test_a_pass_gives_no_row_twice_before_each_came_once(self):
        some = self.batches(10, batch_size=5, count=40).labelled()
        for first in range(0, 8, 2):
            one_pass = [row for rows in rows_of(some, 0)[first : first + 2] for row in rows]
            assert len(set(one_pass)) == 10

    @pytest.mark.parametrize(
        "y",
        [None, torch.arange(10), torch.full((10,), -1), torch.full((10,), -1.0), torch.full((10, 2), -1)],
        ids=["no y", "all labelled", "none labelled", "real targets", "several targets"],
    )
    def test_where_nothing_is_to_be_left_out_they_are_the_same_batches(self, y):
        batches = TensorBatches(torch.arange(10.0), y, batch_size=4)
        assert batches.labelled() is batches

    def test_their_labelled_rows_are_themselves_and_their_targets_those_of_all_rows(self):
        whole = self.batches(4)
        some = whole.labelled()
        assert rows_of(some.labelled(), 2) == rows_of(some, 2)
        assert some.y is whole.y
        assert len(some.labelled()) == len(whole)


@pytest.mark.parametrize(
    ("x", "y", "error", "message"),
    [
        ([[1.0], [2.0]], None, TypeError, "TensorBatches: x must be a tensor, got list; fit takes arrays"),
        (np.zeros((2, 1)), None, TypeError, "TensorBatches: x must be a tensor, got ndarray"),
        ({"a": None}, None, TypeError, "TensorBatches: a must be a tensor or an array of real numbers, got NoneType"),
        (None, None, TypeError, "TensorBatches: x must be a tensor, got NoneType"),
        (torch.zeros(2, 1), [0, 1], TypeError, "TensorBatches: y must be a tensor, got list"),
        (torch.zeros(2, 1), torch.tensor(1), ValueError, "TensorBatches: y must have rows of samples, got a single"),
        (torch.tensor(1.0), None, ValueError, "TensorBatches: x must have rows of samples, got a single number"),
        (torch.zeros(2, 1).to_sparse(), None, TypeError, "TensorBatches: x must be a dense tensor of numbers, got a"),
        (torch.zeros(2, 1, device="meta"), None, TypeError, "TensorBatches: x must be a dense tensor .* a meta one"),
    ],
)
def test_what_is_no_tensor_is_refused(x, y, error, message):
    with pytest.raises(error, match=message):
        TensorBatches(x, y, batch_size=1)


def test_a_table_is_refused():
    with pytest.raises(TypeError, match="TensorBatches: x must be a tensor, got Frame"):
        TensorBatches(Frame([[1.0], [2.0]]), None, batch_size=1)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int32])
def test_classes_of_any_integer_type_are_served_as_int64(dtype):
    batch = next(TensorBatches(torch.zeros(2, 1), torch.tensor([0, 1], dtype=dtype), batch_size=2).epoch(0))
    assert batch.y is not None
    assert batch.y.dtype == torch.int64
    assert sorted(batch.y.tolist()) == [0, 1]
