from campaign import model_uses, models


def test_a_few_models_in_every_use_of_training(tmp_path, monkeypatch):
    monkeypatch.setattr(model_uses, "look", lambda *_: None)  # has a test of its own
    part = models.run(seed=1, scale=0.04, scratch=tmp_path)
    assert part.failures == []
    assert sum(part.tried.values()) > 40


def test_a_raw_error_and_a_refusal_of_what_must_work_are_failures(tmp_path, monkeypatch):
    def breaks(*_):
        raise RuntimeError("mat1 and mat2")

    monkeypatch.setitem(models.FITTING_USES, "fit", breaks)
    assert models.trial("a plain perceptron", "fit", 0, tmp_path) == ("refused", "RuntimeError: mat1 and mat2")
    monkeypatch.setitem(models.FITTING_USES, "fit", lambda *_: "the accuracy is 0.5")
    assert models.trial("a plain perceptron", "fit", 0, tmp_path) == ("right", "the accuracy is 0.5")
