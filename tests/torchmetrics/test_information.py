"""What torchmetrics' own tester asks of every metric, and the values of our estimators."""

import copy
import pickle

import pytest
import torch
from torchmetrics.wrappers import MetricTracker

from infotorch import InformationPlane, ksg, mutual_information, ross
from infotorch.torchmetrics import InformationBottleneckCoordinates, MutualInformation
from torchmetrics import MetricCollection


def rows(n=300, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 2, generator=generator, dtype=dtype)
    return x, 0.8 * x[:, :1] + 0.6 * torch.randn(n, 1, generator=generator, dtype=dtype)


def labelled(n=300):
    x, _ = rows(n)
    return x, (x[:, 0] + 0.3 * x[:, 1] > 0).long()


METRICS = {
    "information": (MutualInformation, {}, rows),
    "named": (MutualInformation, {"estimator": "ksg"}, rows),
    "labels": (MutualInformation, {"estimator": "ross"}, labelled),
    "coordinates": (InformationBottleneckCoordinates, {"relative_noise": 0.3}, labelled),
    "bins": (InformationBottleneckCoordinates, {"num_bins": 3}, labelled),
}


def plain(value):
    return {name: float(one) for name, one in value.items()} if isinstance(value, dict) else float(value)


@pytest.fixture(params=METRICS)
def case(request):
    kind, options, data = METRICS[request.param]
    return kind, options, data()


class TestAsTorchmetricsAsks:
    def test_batches_one_after_the_other_are_all_rows_at_once(self, case):
        kind, options, (x, y) = case
        whole, parts = kind(**options), kind(**options)
        whole.update(x, y)
        for one, other in zip(x.split(70), y.split(70), strict=True):
            parts.update(one, other)
        assert plain(parts.compute()) == plain(whole.compute())
        assert torch.is_tensor(parts.compute()) or all(map(torch.is_tensor, parts.compute().values()))

    def test_forward_tells_of_the_batch_and_compute_of_all(self, case):
        kind, options, (x, y) = case
        metric, alone, whole = kind(**options), kind(**options), kind(**options)
        metric.update(x[:150], y[:150])
        alone.update(x[150:], y[150:])
        assert plain(metric(x[150:], y[150:])) == plain(alone.compute())
        whole.update(x, y)
        assert plain(metric.compute()) == plain(whole.compute())

    def test_it_is_pickled_cloned_and_copied_with_its_rows(self, case):
        kind, options, (x, y) = case
        metric = kind(**options)
        metric.update(x, y)
        expected = plain(metric.compute())
        for other in (pickle.loads(pickle.dumps(metric)), metric.clone(), copy.deepcopy(metric)):
            assert plain(other.compute()) == expected
            other.reset()
        assert len(metric.first) == 1

    def test_reset_forgets(self, case):
        kind, options, (x, y) = case
        metric = kind(**options)
        metric.update(x.roll(1, 0), y)
        metric.compute()
        metric.reset()
        assert getattr(metric, "estimate", None) is None
        assert getattr(metric, "point", None) is None
        metric.update(x, y)
        fresh = kind(**options)
        fresh.update(x, y)
        assert plain(metric.compute()) == plain(fresh.compute())

    def test_the_rows_of_other_processes_are_joined(self, case):
        kind, options, (x, y) = case
        whole = kind(**options)
        whole.update(x, y)
        theirs = iter((x[150:], y[150:]))
        # As torch.distributed would give them: this rank's, then the other one's.
        metric = kind(
            **options, dist_sync_fn=lambda mine, group: [mine, next(theirs)], distributed_available_fn=lambda: True
        )
        metric.update(x[:150], y[:150])
        assert plain(metric.compute()) == plain(whole.compute())
        assert len(torch.cat(metric.first)) == 150

    def test_states_of_two_metrics_are_merged(self, case):
        kind, options, (x, y) = case
        one, other, whole = (kind(**options) for _ in range(3))
        one.update(x[:150], y[:150])
        other.update(x[150:], y[150:])
        whole.update(x, y)
        one.merge_state(other)
        assert plain(one.compute()) == pytest.approx(plain(whole.compute()), abs=0.02)  # ties are broken by order

    def test_a_state_dict_holds_the_rows_where_it_is_to(self, case):
        kind, options, (x, y) = case
        metric, other = kind(**options), kind(**options)
        assert dict(metric.state_dict()) == {}
        metric.persistent(True)
        metric.update(x, y)
        other.persistent(True)
        other.load_state_dict(metric.state_dict())
        assert plain(other.compute()) == plain(metric.compute())

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
    def test_other_precisions(self, case, dtype):
        kind, options, (x, y) = case
        metric, single = kind(**options), kind(**options)
        other = y.to(dtype) if y.is_floating_point() else y
        metric.update(x.to(dtype), other)
        single.update(x.to(dtype).float(), other.float() if y.is_floating_point() else y)
        wanted = plain(single.compute())
        assert plain(metric.compute()) == pytest.approx(wanted, abs=1e-4)

    def test_the_value_is_where_the_metric_is(self, case):
        kind, options, (x, y) = case
        metric = kind(**options)
        metric.update(x, y)
        metric._device = torch.device("meta")  # as `to` sets it, which every machine has
        found = metric.compute()
        values = found.values() if isinstance(found, dict) else [found]
        assert {value.device.type for value in values} == {"meta"}

    def test_a_plot_of_one_value_and_of_several(self, case):
        pyplot = pytest.importorskip("matplotlib.pyplot")
        kind, options, (x, y) = case
        metric = kind(**options)
        values = [metric(x, y), metric(x, y)]
        for figure, axes in (metric.plot(), metric.plot(values)):
            assert axes.lines
            pyplot.close(figure)


@pytest.mark.parametrize("kind", [MutualInformation, InformationBottleneckCoordinates])
def test_a_limit_holds_in_forward_too_and_is_not_shared_in_a_collection(kind):
    x, y = labelled(300)
    options = {} if kind is MutualInformation else {"num_bins": 3}
    metric, first = kind(max_samples=200, **options), kind(**options)
    for one, other in zip(x.split(150), y.split(150), strict=True):
        metric(one, other)
    first.update(x[:200], y[:200])
    assert plain(metric.compute()) == plain(first.compute())
    metric.reset()
    assert metric.limit == 200
    # Of the first batch all keep the same rows, of the second they do not.
    few = [MutualInformation("ross", max_samples=limit) for limit in (200, 250)]
    collection = MetricCollection({"all": MutualInformation("ross"), "200": few[0], "250": few[1]})
    for one, other in zip(x.split(150), y.split(150), strict=True):
        collection.update(one, other)
    collection.compute()
    kept = [collection[name].estimate.n for name in ("all", "200", "250")]
    assert kept == [300, 200, 250]


def test_in_a_collection_and_a_tracker():
    x, y = labelled()
    collection = MetricCollection(
        {
            "of the layer": InformationBottleneckCoordinates(num_bins=3),
            "of its sign": InformationBottleneckCoordinates(num_bins=2),
        },
        compute_groups=False,
    )
    tracker = MetricTracker(collection, maximize=True)
    tracker.increment()
    tracker.update(x, y)
    told = tracker.compute()
    assert {name.split("_", 1)[0] for name in told} == {"of the layer", "of its sign"}
    assert len(told) == 4


class TestValues:
    def test_the_estimators_own(self):
        (x, y), (t, labels) = rows(), labelled()
        metric = MutualInformation()
        metric.update(x, y)
        assert float(metric.compute()) == pytest.approx(float(mutual_information(x, y)), abs=1e-6)
        assert metric.estimate.std_error == mutual_information(x, y).std_error
        for estimator, expected in (("ksg", ksg(x, y)), (ksg, ksg(x, y))):
            metric = MutualInformation(estimator)
            metric.update(x, y)
            assert float(metric.compute()) == pytest.approx(float(expected), abs=1e-6)
        metric = MutualInformation("ross")
        metric.update(t, labels)
        assert float(metric.compute()) == pytest.approx(float(ross(t, labels)), abs=1e-6)

    def test_a_function_of_plain_numbers(self):
        metric = MutualInformation(lambda x, y: (x * y).mean())
        metric.update(torch.ones(3), torch.full((3,), 2.0))
        assert float(metric.compute()) == 2.0
        assert metric.estimate is None

    @pytest.mark.parametrize(
        "assumption", [{"noise_std": 0.5}, {"relative_noise": 0.3}, {"bin_width": 0.5}, {"num_bins": 4}]
    )
    def test_the_points_of_an_information_plane(self, assumption):
        t, y = labelled()
        [point] = InformationPlane(torch.nn.Sequential(torch.nn.Identity()), (t, y), layers=["0"], **assumption)(0)
        metric = InformationBottleneckCoordinates(**assumption)
        metric.update(t, y)
        told = plain(metric.compute())
        assert told == pytest.approx({"mi_xt_nats": point.mi_xt, "mi_ty_nats": point.mi_ty}, abs=1e-6)
        assert metric.point.assumption == point.assumption

    def test_images_are_read_as_columns_and_no_more_rows_than_asked_for(self):
        x, y = labelled()
        grids, columns = MutualInformation("ross", max_samples=120), MutualInformation("ross")
        for one, other in zip(x.split(70), y.split(70), strict=True):
            grids.update(one.reshape(-1, 2, 1, 1), other)
        columns.update(x[:120], y[:120])
        assert float(grids.compute()) == float(columns.compute())
        assert grids.estimate.n == 120

    def test_batches_behind_the_limit_stay_in_no_memory(self):
        x, y = labelled(300)
        metric = MutualInformation("ross", max_samples=120)
        for one, other in zip(x.split(50), y.split(50), strict=True):
            metric.update(one.clone(), other.clone())
        held = sum(part.untyped_storage().nbytes() for part in [*metric.first, *metric.second])
        assert held == 120 * (2 * 4 + 8)  # two floats and one integer for each sample


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: MutualInformation("kgs"), ValueError, "MutualInformation: estimator must be one of"),
        (
            lambda: MutualInformation(max_samples=0),
            ValueError,
            "MutualInformation: max_samples must be at least 1, got 0",
        ),
        (lambda: MutualInformation().compute(), ValueError, "there are no samples yet; call update first"),
        (lambda: MutualInformation().update([1.0], torch.ones(1)), TypeError, "x must be a tensor, got list"),
        (
            lambda: MutualInformation().update(torch.ones(2), torch.ones(3)),
            ValueError,
            "x and y must be paired row by row",
        ),
        (
            lambda: MutualInformation().update(torch.ones(()), torch.ones(())),
            ValueError,
            "x must have a row for each sample",
        ),
        (
            lambda: InformationBottleneckCoordinates(),
            ValueError,
            r"InformationBottleneckCoordinates: I\(X; T\) needs exactly one assumption to be finite",
        ),
        (lambda: InformationBottleneckCoordinates(noise_std=1.0, num_bins=3), ValueError, "got noise_std and num_bins"),
        (lambda: InformationBottleneckCoordinates(noise_std=0.0), ValueError, "noise_std must be"),
        (
            lambda: InformationBottleneckCoordinates(bin_width=0.1).update(torch.ones(3, 1), torch.ones(3)),
            ValueError,
            "bin_width must be left out for real targets",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:The ``compute`` method")
def test_bad_input_is_refused_in_one_line(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_other_columns_than_before_are_refused():
    metric = MutualInformation()
    metric.update(*rows())
    with pytest.raises(ValueError, match=r"x must have the same columns in every batch, got \(2,\) and then \(3,\)"):
        metric.update(torch.ones(5, 3), torch.ones(5, 1))
