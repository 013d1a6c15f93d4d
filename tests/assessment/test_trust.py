"""The table of calibration: against torchmetrics and scikit-learn, by closed forms, of models left as they were."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score, roc_curve
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn
from torchmetrics.functional.classification import multiclass_calibration_error

from infotorch import load
from infotorch.assessment import ImageCorruption, calibration_table
from infotorch.assessment.corruptions import NAMES, column_noise
from infotorch.data.sets import Split

X = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] + X[:, 1] > 0).long() + (X[:, 2] > 1).long()
FAR = 5 * torch.randn(100, 4, generator=torch.Generator().manual_seed(1))
IMAGES = torch.rand(40, 3, 9, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def model(scale=3.0):
    torch.manual_seed(0)
    layer = nn.Linear(4, 3)
    with torch.no_grad():
        layer.weight.mul_(scale)
    return nn.Sequential(layer, nn.Dropout(0.5))


def first(**options):
    return calibration_table(model(), (X, Y), **{"corruptions": None} | options).table()[0]


def test_measures_are_those_of_other_libraries():
    line = first(near=X + 0.5, far=FAR)
    p = model().eval()(X).double().softmax(dim=1).detach()
    right = p.argmax(dim=1) == Y
    assert line["accuracy"] == pytest.approx(float(right.double().mean()), abs=1e-12)
    assert line["nll_nats"] == pytest.approx(log_loss(Y, p, labels=[0, 1, 2]), abs=1e-6)
    wanted = multiclass_calibration_error(p, Y, num_classes=3, n_bins=15, norm="l1")
    assert line["ece"] == pytest.approx(float(wanted), abs=1e-6)
    assert line["brier"] == pytest.approx(float((p - nn.functional.one_hot(Y, 3)).square().sum(dim=1).mean()), abs=1e-6)
    doubt = 1 - np.concatenate([p.max(dim=1).values, model().eval()(FAR).double().softmax(dim=1).detach().amax(dim=1)])
    foreign = np.arange(400) >= 300
    assert line["far_auroc"] == pytest.approx(roc_auc_score(foreign, doubt), abs=1e-6)
    false, true, _ = roc_curve(~foreign, -doubt, drop_intermediate=False)
    assert line["far_fpr95"] == pytest.approx(false[np.argmax(true >= 0.95)], abs=1e-12)
    errors = (~right)[p.max(dim=1).values.argsort(descending=True)].double().cumsum(0)
    assert line["aurc"] == pytest.approx(float((errors / torch.arange(1, 301)).mean()), abs=1e-6)
    assert 0.3 < line["near_auroc"] < 0.7
    assert 0 < line["ms_per_sample"] < 10


def test_a_classifier_of_scikit_learn_is_a_model_too():
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X.numpy(), Y.numpy())
    found = calibration_table(scaled, (X, Y), far=FAR, severities=(5,))
    line, p = found.table()[0], scaled.predict_proba(X.numpy())
    assert line["accuracy"] == pytest.approx(scaled.score(X.numpy(), Y.numpy()))
    assert line["nll_nats"] == pytest.approx(log_loss(Y, p))
    doubt = np.concatenate([scaled.predict_proba(FAR.numpy()).max(axis=1), p.max(axis=1)])
    assert line["far_auroc"] == pytest.approx(roc_auc_score(np.arange(400) >= 100, doubt))
    assert [one["corruption"] for one in found.table()] == ["none", "column_noise"]
    named = LogisticRegression().fit(X.numpy(), np.array(["a", "b", "c"])[Y])
    with pytest.raises(ValueError, match=r"model must be fitted to classes 0, 1, ..., as y has them, got \['a'"):
        calibration_table(named, (X, Y))


def test_probabilities_are_never_read_as_scores():
    with pytest.raises(ValueError, match=r'the model gives probabilities, .*; say outputs="probabilities"'):
        calibration_table(nn.Sequential(model(), nn.Softmax(dim=1)), (X, Y))


def test_probabilities_are_as_good_as_scores():
    wrapped = nn.Sequential(model(), nn.Softmax(dim=1))
    told = calibration_table(wrapped, (X, Y), corruptions=None, outputs="probabilities").table()[0]
    for key, value in first().items():
        if isinstance(value, float) and key != "ms_per_sample":
            assert told[key] == pytest.approx(value, abs=1e-5)


def test_what_is_impossible_and_happens_is_finite_and_large():
    class Sure(nn.Module):
        def forward(self, x):
            return nn.functional.one_hot((x[:, 0] > 0).long(), 3).double()

    line = calibration_table(Sure(), (X, Y), corruptions=None, outputs="probabilities").table()[0]
    wrong = (Y != (X[:, 0] > 0).long()).double().mean()
    assert line["nll_nats"] == pytest.approx(float(wrong) * 300 * math.log(10), rel=1e-6)


def test_any_source_of_samples_and_unlabelled_ones_are_left_out():
    some = Y.clone()
    some[:50] = -1
    wanted = calibration_table(model(), (X[50:], Y[50:]), corruptions=None).table()[0]
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, some), batch_size=64)
    for data in ((X.numpy(), some.numpy()), Split(X, some), loader):
        found = calibration_table(model(), data, corruptions=None, batch_size=33)
        assert found.num_samples == 250
        line = found.table()[0]
        assert all(line[key] == pytest.approx(wanted[key], abs=1e-6) for key in ("accuracy", "nll_nats", "ece", "aurc"))


def test_corruptions_of_vectors_and_of_ones_own():
    found = calibration_table(model(), (X, Y), severities=(1, 5))
    lines = found.table()
    assert [(line["corruption"], line["severity"]) for line in lines] == [
        ("none", None),
        ("column_noise", 1),
        ("column_noise", 5),
    ]
    assert lines[2]["nll_nats"] > lines[1]["nll_nats"]
    assert lines[1]["ms_per_sample"] is lines[1]["far_auroc"] is None
    mean = found.means()[1]
    assert mean["nll_nats"] == pytest.approx((lines[1]["nll_nats"] + lines[2]["nll_nats"]) / 2)
    own = {"flip": lambda x, severity, generator: -severity * x}
    flipped = calibration_table(model(), (X, Y), corruptions=own, severities=(1,)).table()[1]
    by_hand = calibration_table(model(), (-X, Y), corruptions=None).table()[0]
    assert flipped["nll_nats"] == pytest.approx(by_hand["nll_nats"], abs=1e-9)
    assert calibration_table(model(), (X, Y)).table()[1:] == calibration_table(model(), (X, Y)).table()[1:]
    assert calibration_table(model(), (X, Y), seed=1).table()[1] != calibration_table(model(), (X, Y)).table()[1]


def test_frame_words_and_figure():
    found = calibration_table(model(), (X, Y), far=FAR, severities=(1, 3))
    frame = found.to_frame()
    assert frame.loc[("column_noise", 3), "ece"] == found.table()[2]["ece"]
    head, clean, noisy = repr(found).splitlines()
    measured = "accuracy nll_nats ece adaptive_ece brier aurc far_auroc far_fpr95 ms_per_sample"
    assert head.split() == ["corruption", *measured.split()]
    assert clean.split()[1] == f"{found.table()[0]['accuracy']:.4g}"
    assert noisy.split()[0] == "column_noise"
    marks = found.figure().data[1]
    assert sum(marks.customdata) == 300
    assert sum(n * y for n, y in zip(marks.customdata, marks.y, strict=True)) / 300 == pytest.approx(
        100 * found.table()[0]["accuracy"], abs=1e-3
    )
    gaps = [abs(p - right) * n for p, right, n in found.reliability]
    assert sum(gaps) / 300 == pytest.approx(found.table()[0]["ece"], abs=1e-12)


def test_images_of_a_real_set_get_worse_with_severity():
    digits = load("digits")
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(100):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(digits.train.x), digits.train.y).backward()
        optimizer.step()
    found = calibration_table(net, digits.test, severities=(1, 5))
    assert {line["corruption"] for line in found.table()} == {"none", *NAMES}
    assert found.table()[0]["accuracy"] > 0.9
    by_place = {(line["corruption"], line["severity"]): line for line in found.table()}
    for name in ("impulse_noise", "gaussian_blur", "contrast"):
        assert by_place[name, 5]["nll_nats"] > by_place[name, 1]["nll_nats"]


class TestCorruptions:
    """Each by its definition, in units of 0 to 1; noise by its moments, 3,960 pixels in 40 images."""

    def changed(self, name, severity, images=IMAGES):
        return ImageCorruption(name, (0.0, 1.0))(images, severity, torch.Generator().manual_seed(2))

    def test_blur_is_scipys(self):
        for severity, deviation in ((1, 0.4), (5, 1.0)):
            sigma = (0, 0, deviation, deviation)
            wanted = gaussian_filter(IMAGES.numpy(), sigma, mode="nearest", truncate=4.0)
            assert np.allclose(self.changed("gaussian_blur", severity), wanted, atol=1e-12)

    def test_light_and_contrast(self):
        assert torch.allclose(self.changed("brightness", 5), (IMAGES + 0.3).clamp(max=1))
        means = IMAGES.mean(dim=(2, 3), keepdim=True)
        assert torch.allclose(self.changed("contrast", 4), 0.3 * IMAGES + 0.7 * means)

    def test_noise_has_its_moments(self):
        grey = torch.full((40, 3, 9, 11), 0.5, dtype=torch.float64)
        assert float(self.changed("gaussian_noise", 5, grey).std()) == pytest.approx(0.1, rel=0.03)  # 1 / sqrt(2 n)
        counted = self.changed("shot_noise", 5, grey)
        assert float(counted.mean()) == pytest.approx(0.5, abs=0.004)  # four standard errors
        assert float(counted.var()) == pytest.approx(0.5 / 50, rel=0.06)
        struck = self.changed("impulse_noise", 5, grey)
        assert float((struck == 0).double().mean()) == pytest.approx(0.035, abs=0.007)  # four standard errors
        assert float((struck == 1).double().mean()) == pytest.approx(0.035, abs=0.007)

    def test_other_ranges_are_the_same_images(self):
        wide = ImageCorruption("gaussian_noise", (-1.0, 3.0))
        drawn = wide(4 * IMAGES - 1, 3, torch.Generator().manual_seed(2))
        assert torch.allclose((drawn + 1) / 4, self.changed("gaussian_noise", 3))

    def test_noise_of_columns_is_a_share_of_their_spread(self):
        rows = X.double() * torch.tensor([1.0, 10.0, 0.0, 0.1])
        noise = column_noise(rows, 4, torch.Generator().manual_seed(0)) - rows
        assert noise.std(dim=0).tolist() == pytest.approx((0.5 * rows.std(dim=0)).tolist(), rel=0.15)


def test_the_model_and_the_generators_are_left_as_they_were():
    net = model()
    net[0].eval()
    state, modes = torch.get_rng_state(), [layer.training for layer in net.modules()]
    weights = [p.clone() for p in net.parameters()]
    calibration_table(net, (X, Y), severities=(1,))
    assert torch.equal(torch.get_rng_state(), state)
    assert [layer.training for layer in net.modules()] == modes
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), weights, strict=True))
    with pytest.raises(ValueError, match=r"the model must run on samples \(250, 3\): mat1 and mat2 shapes"):
        calibration_table(net, (X[:, :3], Y), corruptions=None)
    assert [layer.training for layer in net.modules()] == modes


def test_what_works_in_place_changes_nothing_else():
    def halved(x, severity, generator):
        return x.mul_(0.5)

    x, net = X.clone(), nn.Sequential(nn.Hardtanh(inplace=True), model())
    found = calibration_table(net, (x, Y), corruptions={"halved": halved}, severities=(1, 2, 3)).table()
    assert torch.equal(x, X)
    wanted = calibration_table(net, (X / 2, Y), corruptions=None).table()[0]["nll_nats"]
    assert [line["nll_nats"] for line in found[1:]] == [wanted] * 3


def test_severities_may_be_real_and_read_once():
    tables = [calibration_table(model(), (X, Y), severities=given).table() for given in ((1, 5), iter([1.0, 5.0]))]
    assert tables[0][1:] == tables[1][1:]


@pytest.mark.parametrize(("last", "outputs"), [(nn.Identity(), "scores"), (nn.Sigmoid(), "probabilities")])
def test_one_column_for_two_classes_is_refused(last, outputs):
    net = nn.Sequential(nn.Linear(4, 1), last)
    with pytest.raises(ValueError, match=r"must have a column for each of two classes or more, got 1; of one score s"):
        calibration_table(net, (X, 0 * Y), corruptions=None, outputs=outputs)


def test_a_model_in_double_takes_what_it_needs():
    assert calibration_table(model().double(), (X, Y), corruptions=None).table()[0]["nll_nats"] == pytest.approx(
        first()["nll_nats"], abs=1e-5
    )


@pytest.mark.parametrize(
    ("data", "options", "error", "message"),
    [
        ((X, Y), {"outputs": "logits"}, ValueError, "outputs must be"),
        ((X, Y), {"outputs": "probabilities"}, ValueError, "must be at least 0 and sum to 1, got"),
        ((X, Y + 3), {}, ValueError, "y must have classes below 3, the model's, got"),
        ((X, Y.float()), {}, TypeError, "y must be classes, integers of shape"),
        ((X, -torch.ones_like(Y)), {}, ValueError, "must have labelled samples, got none of 300"),
        ((X, Y[:5]), {}, ValueError, "got 300 and 5 rows"),
        ((X[:, :, None], Y), {}, ValueError, "common corruptions are of images"),
        ((X, Y), {"corruptions": "rain"}, ValueError, "corruptions must be"),
        ((X, Y), {"severities": (0,)}, ValueError, "each of severities must be"),
        ((X, Y), {"severities": 3}, TypeError, "severities must be a list of severities, got 3"),
        ((X, Y), {"corruptions": {"a": 3}}, TypeError, r"corruptions\['a'\] must be"),
        ((X, Y), {"corruptions": {"a": lambda x, s, g: x[:2]}}, ValueError, "the corruption 'a' must keep the shape"),
        ((X, Y), {"num_bins": 0}, ValueError, "num_bins must be at least 1"),
        ((X * math.nan, Y), {"corruptions": None}, ValueError, "must give finite numbers for data"),
        (X, {}, TypeError, "data must be a pair"),
        (({"a": X}, Y), {}, TypeError, "x must be one array of numbers"),
    ],
)
def test_what_is_refused(data, options, error, message):
    with pytest.raises(error, match=message):
        calibration_table(model(), data, **options)


def test_more_that_is_refused():
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module"):
        calibration_table(lambda x: x, (X, Y))
    with pytest.raises(TypeError, match=r"one split of a data set, such as data.test"):
        calibration_table(model(), load("digits"))
    with pytest.raises(ValueError, match=r"the model must give \(n, classes\) for 250 samples, got \(250, 1, 4\)"):
        calibration_table(nn.Unflatten(1, (1, 4)), (X, Y), corruptions=None)
    with pytest.raises(ValueError, match=r"pixel_range must have a finite length, got 1.0 to 1.0"):
        calibration_table(nn.Sequential(nn.Flatten(), nn.LazyLinear(3)), (torch.ones(5, 1, 2, 2), Y[:5]))
    with pytest.raises(ValueError, match=r"far must be samples .* of the shape of x \(300, 4\), got \(100, 3\)"):
        calibration_table(model(), (X, Y), far=FAR[:, :3])
    with pytest.raises(TypeError, match="pixel_range must be a pair of numbers, got 1"):
        ImageCorruption("contrast", 1)
    blur = ImageCorruption("gaussian_blur", (0.0, 1.0))
    with pytest.raises(ValueError, match=r"images must be real, \(n, channels, height, width\), got"):
        blur(X, 1, torch.Generator())
    with pytest.raises(ValueError, match="severity must be"):
        blur(IMAGES, 6, torch.Generator())
    with pytest.raises(TypeError, match=r"generator must be a torch.Generator"):
        blur(IMAGES, 1, 0)
