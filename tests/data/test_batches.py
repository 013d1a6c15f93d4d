import pytest
import torch

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
        (torch.zeros(0), None, {"batch_size": 1}, "x has no rows"),
        (torch.zeros(3), torch.zeros(2), {"batch_size": 1}, "got 3 and 2 rows"),
        (torch.zeros(3), None, {"batch_size": 0}, "batch_size must be at least 1, got 0"),
        (torch.zeros(3), None, {"batch_size": 4, "drop_last": True}, "leaves no batch of 4 in 3 rows"),
    ],
)
def test_wrong_use_is_refused(x, y, settings, message):
    with pytest.raises(ValueError, match=message):
        TensorBatches(x, y, **settings)
