"""Runs of a denoiser from end to end, on the digits of 8 x 8 pixels."""

import io

import numpy as np
import pytest

from infotorch.recipes.build import build_network
from infotorch.recipes.changes import change
from infotorch.recipes.registry import find_recipe, variants_of
from infotorch.records.finding import find_runs
from infotorch.records.png import png
from infotorch.records.run_record import RunRecord
from infotorch.report.page import write_report
from infotorch.report.table import markdown_table, summarise
from infotorch.runs.runner import run
from infotorch.runs.setup import Setup, load_samples

SMALL = {
    "data.name": "digits", "data.side": 8, "data.limit": 100, "data.validation": 40, "epochs": 2,
    "network.channels": (4, 4, 4), "network.latent": 5, "optimizer.lr": 1e-2,
}  # fmt: skip


def small(variant="adam-bp", **settings):
    return change(find_recipe("prox-vae-mnist", variant), {**SMALL, **settings})


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    directory = tmp_path_factory.mktemp("runs") / "whole"
    assert run(small("adam-hybrid"), directory, device="cpu").status == "completed"
    return directory


class TestARun:
    def test_it_is_told_by_psnr_beside_that_of_the_noisy_images(self, done):
        metrics = RunRecord(done).outcome().metrics
        assert list(metrics) == ["train_psnr_db", "validation_psnr_db", "test_psnr_db", "noisy_psnr_db"]
        assert metrics["noisy_psnr_db"] == pytest.approx(12.0, abs=0.2)  # 10 log10(4 / 0.25)
        last = RunRecord(done).metrics()[-1]
        assert last["validation_psnr_db"] == pytest.approx(metrics["validation_psnr_db"], abs=1e-4)
        assert {"train_psnr_db", "train_loss", "validation_loss", "train_gradient_norm"} <= set(last)

    def test_one_that_is_resumed_repeats_it(self, done, tmp_path, monkeypatch):
        from infotorch.runs import session

        ends = session.Session._end_epoch

        def stop(self, info):
            ends(self, info)
            raise KeyboardInterrupt

        monkeypatch.setattr(session.Session, "_end_epoch", stop)
        assert run(small("adam-hybrid"), tmp_path / "r", device="cpu", checkpoint_seconds=0).status == "interrupted"
        monkeypatch.undo()
        assert run(small("adam-hybrid"), tmp_path / "r", device="cpu", resume=True).status == "completed"
        for name in ("metrics.jsonl", "denoised.png"):
            assert (tmp_path / "r" / name).read_bytes() == (done / name).read_bytes()
        assert RunRecord(tmp_path / "r").outcome().metrics == RunRecord(done).outcome().metrics

    def test_the_row_with_the_codes_divergence_reports_it(self, tmp_path):
        assert run(small("adam-bp-kl", epochs=1), tmp_path / "kl", device="cpu").status == "completed"
        (line,) = RunRecord(tmp_path / "kl").metrics()
        both = line["train_squared_error"] + line["train_code_kl_nats"] / 64
        assert line["train_loss"] == pytest.approx(both, rel=1e-5)

    def test_table_and_report_show_floor_and_picture(self, done):
        records = find_runs(done)
        assert "the noisy images themselves have 1" in markdown_table(summarise(records))
        page = write_report([done], done / "report.html").read_text(encoding="utf-8")
        assert "Noisy and denoised images" in page
        assert 'src="data:image/png;base64,iVBORw0KGgo' in page

    def test_trials_are_scored_on_validation_rows_alone(self, tmp_path):
        from infotorch.runs.session import Session

        session = Session(Setup(small(epochs=1), 1000, "cpu"), RunRecord(tmp_path / "t"), is_trial=True)
        assert list(session.run(resume=False).metrics) == ["validation_psnr_db"]
        assert not (tmp_path / "t" / "denoised.png").exists()


class TestPng:
    @pytest.mark.parametrize("channels", [1, 3])
    def test_another_library_reads_it(self, channels):
        image = pytest.importorskip("PIL.Image")
        pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), dtype=np.uint8)
        assert (np.asarray(image.open(io.BytesIO(png(pixels)))).reshape(pixels.shape) == pixels).all()

    @pytest.mark.parametrize("pixels", [np.zeros((2, 2, 1)), np.zeros((2, 2), np.uint8), np.zeros((2, 2, 4), np.uint8)])
    def test_pixels_of_another_kind(self, pixels):
        with pytest.raises(ValueError, match=r"png: pixels must be uint8 of shape \(height, width, 1 or 3\), got"):
            png(pixels)


class TestRecipes:
    @pytest.mark.parametrize("name", ["prox-vae-mnist", "prox-vae-cifar10"])
    def test_all_rows_see_the_same_images_noise_and_network(self, name):
        rows = variants_of(name)
        assert all(
            (row.data, row.network, row.epochs) == (rows[0].data, rows[0].network, rows[0].epochs) for row in rows
        )
        assert {row.search.metric for row in rows} == {"validation_psnr_db"}
        assert {
            f"{o}-{u}" for o in ("adam", "adamw", "nadam", "adamp") for u in ("bp", "order1", "order2", "hybrid")
        } < {row.variant for row in rows}

    def test_numbers_of_the_paper(self):
        published = {
            row.variant: row.published["test_psnr_db"] for row in variants_of("prox-vae-mnist") if row.published
        }
        assert {name: entry.value for name, entry in published.items()} == {
            "adam-bp": 21.78, "adam-paper": 24.24, "adamw-bp": 21.88, "adamw-paper": 23.95, "nadam-bp": 21.87,
            "nadam-paper": 24.19, "adamp-bp": 21.74, "adamp-paper": 24.11, "nadam-order1": 21.81, "nadam-l1": 23.18,
            "nadam-huber": 23.47,
        }  # fmt: skip
        assert published["nadam-l1"].source == "Han et al. 2023, Table 3: l1"
        assert find_recipe("prox-vae-mnist", "nadam-l1").split.forward_lr == 0.01

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"data.scaling": "none"}, "a denoiser needs images and data.scaling=signed"),
            ({"plan.objectives": ("CE",)}, "a denoiser has one module with the objective X:squared-error"),
            ({"plan.code_kl": 1.0, "split.at": "decoder", "split.order": 2}, "plan.code_kl is for back-propagation"),
        ],
    )
    def test_settings_that_do_not_fit(self, settings, message):
        recipe = small(**settings)
        with pytest.raises(ValueError, match=message):
            build_network(recipe, load_samples(recipe, 0))
