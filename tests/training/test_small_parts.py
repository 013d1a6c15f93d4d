"""Devices, evaluation and the cache: one behaviour a test."""

import errno
import gc
import os
import tempfile
import warnings
from pathlib import Path

import pytest
import torch

import infotorch
from infotorch.data.batches import TensorBatches
from infotorch.objectives.base import Loss
from infotorch.objectives.bottleneck import InformationBottleneck
from infotorch.records.commit import commit_of
from infotorch.training import devices, evaluate
from infotorch.training.cache import OutputCache
from infotorch.training.devices import environment, launch, peak_device_bytes, resolve_device
from infotorch.training.epoch_means import EpochMeans
from infotorch.training.evaluate import accuracy, evaluate_modules, plan_accuracy
from infotorch.training.loop import Position, StepInfo, train
from infotorch.training.plan import Plan


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


class TestDevices:
    def test_unknown_and_absent_devices_are_refused(self):
        with pytest.raises(ValueError, match=r"must be auto, cpu, cuda, .* got 'cdua'; did you mean cuda\?"):
            resolve_device("cdua")
        if not torch.accelerator.is_available():
            with pytest.raises(ValueError, match=r"cuda is not there; available: cpu\."):
                resolve_device("cuda")
            assert resolve_device("auto") == torch.device("cpu")

    @pytest.mark.parametrize(("fast", "told"), [(True, 0), (False, 1)])
    def test_bfloat16_without_instructions_for_it_is_warned_of_once(self, monkeypatch, fast, told):
        monkeypatch.setattr(devices, "_has_bfloat16", lambda: fast)
        devices._warn_of_bfloat16.cache_clear()
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            for precision in ("32-true", "bf16-mixed", "bf16-mixed"):
                assert launch("cpu", precision).device.type == "cpu"
        assert [str(one.message)[:55] for one in heard] == [
            "precision=bf16-mixed: torch computes bfloat16 many time"
        ] * told

    def test_unknown_precision_is_refused(self):
        with pytest.raises(ValueError, match="precision: must be one of 32-true, 64-true, bf16-mixed, got '16'"):
            launch("cpu", "16")

    def test_the_environment_names_no_place_and_no_person(self):
        found = environment(torch.device("cpu"), "32-true")
        assert found["device"] == "cpu"
        assert not any(os.sep in str(value) for value in found.values())

    def test_the_environment_has_the_commit_of_this_package(self):
        found = environment(torch.device("cpu"), "32-true")["commit"]
        assert found == commit_of(Path(infotorch.__file__).parent)

    def test_a_cpu_has_no_device_peak(self):
        assert peak_device_bytes(torch.device("cpu")) is None


class TestEvaluation:
    def test_accuracy_counts_labelled_rows_by_hand(self):
        scores = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [0.0, 9.0]])
        assert accuracy(lambda x: x, scores, torch.tensor([0, 0, 0, -1])) == pytest.approx(2 / 3)
        assert accuracy(lambda x: x, scores, torch.full((4,), -1)) != accuracy(lambda x: x, scores, torch.zeros(4))

    def test_chunks_make_no_difference(self):
        generator = torch.Generator().manual_seed(0)
        x, y = torch.randn(2500, 3, generator=generator), torch.randint(3, (2500,), generator=generator)
        assert accuracy(lambda rows: rows, x, y) == int((x.argmax(1) == y).sum()) / 2500

    def test_what_trains_in_small_batches_is_evaluated_in_few_samples(self, make_mlp, two_blobs, monkeypatch):
        x, y = two_blobs
        x, y = x[:99], y[:99]
        plan = Plan.layerwise(make_mlp(), objectives="Y,Y,CE", optimizer=adam)
        list(train(plan, TensorBatches(x, y, batch_size=10), epochs=1))
        assert plan.sample_bytes == 4 * 8  # of the widest layer
        whole = plan_accuracy(plan, x, y), evaluate_modules(plan, x, y, [2])
        monkeypatch.setattr(evaluate, "_LARGEST", 14 * plan.sample_bytes + 1)
        seen = []
        plan[0].body.register_forward_hook(lambda *args: seen.append(len(args[2])))
        parts = plan_accuracy(plan, x, y), evaluate_modules(plan, x, y, [2])
        assert seen == [14, 14, 14, 14, 14, 14, 15] * 2  # a lone last sample is not left alone
        assert parts[0] == whole[0]
        assert parts[1]["4"]["loss"] == pytest.approx(whole[1]["4"]["loss"], rel=1e-5)

    def test_local_losses_are_row_weighted_means_and_change_nothing(self, make_mlp, two_blobs):
        x, y = two_blobs
        x, y = x.repeat(5, 1)[:1100], y.repeat(5)[:1100]
        plan = Plan.layerwise(make_mlp(), objectives="Y,Y,CE", optimizer=adam)
        list(train(plan, TensorBatches(x, y, batch_size=100), epochs=1))
        before = [parameter.clone() for module in plan for parameter in module.parameters()]
        found = evaluate_modules(plan, x, y, [0, 2])
        with torch.no_grad():
            outputs = plan.outputs(x)
            wanted = torch.nn.functional.cross_entropy(outputs[-1], y)
        assert found["4"]["loss"] == pytest.approx(float(wanted), rel=1e-5)
        assert found["4"]["accuracy"] == pytest.approx(plan_accuracy(plan, x, y), abs=1e-6)
        assert set(found["0"]) == {"loss", "mi_ty_nats", "accuracy"}
        after = [parameter for module in plan for parameter in module.parameters()]
        assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))

    def test_unlabelled_rows_do_not_count_in_any_accuracy(self, make_mlp, two_blobs):
        x, y = two_blobs
        plan = Plan.layerwise(make_mlp(), objectives="Y,Y,CE", optimizer=adam)
        list(train(plan, TensorBatches(x, y, batch_size=64), epochs=5))
        x, y = x.repeat(9, 1), y.repeat(9)
        few = torch.where(torch.arange(len(y)) < 1100, y, -1)  # the last of three evaluation batches has no label
        found = evaluate_modules(plan, x, few, [2])["4"]["accuracy"]
        assert found == pytest.approx(plan_accuracy(plan, x[:1100], y[:1100]), abs=1e-6)

    def test_a_lone_last_row_is_evaluated_with_the_rows_before_it(self, make_mlp, two_blobs):
        x, y = two_blobs
        objectives = [InformationBottleneck(beta=0.1, noise_std=1.0), "Y", "CE"]
        plan = Plan.layerwise(make_mlp(), objectives=objectives, optimizer=adam)
        list(train(plan, TensorBatches(x, y, batch_size=64), epochs=1))
        x, y = x.repeat(4, 1)[:1001], y.repeat(4)[:1001]
        assert evaluate_modules(plan, x, y, [0])["0"]["mi_xt_nats"] > 0
        assert accuracy(lambda rows: torch.nn.functional.one_hot(y[: len(rows)]), x, y) == 1.0


class TestAverages:
    def test_a_term_is_averaged_over_the_steps_that_report_it(self):
        def step(total, **terms):
            losses = {"fc1": Loss(torch.tensor(total), {name: torch.tensor(value) for name, value in terms.items()})}
            return StepInfo(Position(), Position(), losses, {}, False, False)

        means = EpochMeans()
        for info in (step(1.0, mi_ty_nats=0.5), step(2.0), step(6.0, mi_ty_nats=1.5)):
            means.add(info)
        assert means.of("fc1") == {"loss": 3.0, "mi_ty_nats": 1.0}
        again = EpochMeans(means.sums)
        again.add(step(3.0))
        assert again.of("fc1")["loss"] == 3.0


class TestCache:
    @pytest.mark.parametrize("kind", ["memory", "disk"])
    def test_rows_come_back_as_computed(self, kind):
        x = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
        cache = OutputCache(lambda rows: rows.square(), x, batch_size=4, kind=kind)
        index = torch.tensor([9, 0, 5, 5])
        assert torch.equal(cache[index], x[index].square())

    def test_bfloat16_rows_lie_on_disk_as_they_are(self):
        x = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
        cache = OutputCache(lambda rows: rows.bfloat16(), x, batch_size=4, kind="disk")
        assert torch.equal(cache[torch.arange(10)], x.bfloat16())

    @pytest.mark.skipif(os.name != "posix", reason="a mapped file cannot lose its name here")
    def test_the_file_has_no_name_that_a_killed_process_could_leave(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        x = torch.randn(5, 2, generator=torch.Generator().manual_seed(0))
        cache = OutputCache(lambda rows: rows, x, batch_size=4, kind="disk")
        assert not list(tmp_path.iterdir())
        assert torch.equal(cache[torch.arange(5)], x)

    def test_a_full_disk_is_one_error(self, tmp_path, monkeypatch):
        def full(*_):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(os, "posix_fallocate", full)
        with pytest.raises(OSError, match=rf"needs 2 MiB in {tmp_path}; set TMPDIR to a folder with room") as refused:
            OutputCache(lambda rows: rows, torch.ones(2**19, 1), batch_size=2**19, kind="disk")
        assert refused.value.errno == errno.ENOSPC
        del refused
        gc.collect()
        assert not list(tmp_path.iterdir())
