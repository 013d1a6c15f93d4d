"""The numbers that a run ends with: scores of the trained network on its splits, beside what costs no training."""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from infotorch.data.augment import mirrors_alike
from infotorch.data.sets import Dataset, Split
from infotorch.networks.perceptron import fold_head
from infotorch.recipes.recipe import Recipe
from infotorch.records.right_samples import RightSamples
from infotorch.training.denoising import denoising_psnr_db
from infotorch.training.evaluate import (
    evaluate_modules,
    evaluating_repeatably,
    plan_accuracy,
    plan_right_samples,
    plan_scores,
    right_samples,
    share_of,
)
from infotorch.training.image_views import view_scores
from infotorch.training.plan import Plan
from infotorch.training.regression import plan_error, reference_errors


class Scores(NamedTuple):
    """What a run ends with.

    Args:
        metrics: name -> number.
        right: which test samples are right; None of a trial, and where there are no classes.
    """

    metrics: dict[str, float]
    right: RightSamples | None = None


def final_scores(recipe: Recipe, plan: Plan, model: nn.Module, dataset: Dataset, *, is_trial: bool) -> Scores:
    """Metrics of a trained network, by the kind of its task.

    Args:
        recipe: the variant.
        plan: trained.
        model: what the plan has trained.
        dataset: the samples.
        is_trial: the validation score alone: the trials of a search never look at test samples.

    Returns:
        `test_accuracy`, `test_psnr_db` or `test_mae` with their twins on training and validation samples, floors such
        as `majority_class`, and the information of the deepest layer that an objective of information has trained; and,
        of a classifier, which test samples it has right.
    """
    if recipe.task == "denoising":
        return Scores(_denoising(plan, model, dataset, is_trial))
    if dataset.kind == "regression":
        return Scores(_regression(plan, dataset, is_trial))
    return _classification(recipe, plan, model, dataset, is_trial)


def _classification(recipe: Recipe, plan: Plan, model: nn.Module, dataset: Dataset, is_trial: bool) -> Scores:
    held_out, tested = dataset.validation, dataset.test
    metrics = {} if is_trial else {"train_accuracy": plan_accuracy(plan, dataset.train.x, dataset.train.y)}
    if recipe.data.holds_out:
        metrics["validation_accuracy"] = share_of(_right(recipe, plan, held_out, dataset.name))
    if is_trial:
        return Scores(metrics)
    if recipe.network.head:
        right, difference = _folded(model, dataset)
        metrics |= {"test_accuracy": share_of(right), "folding_max_difference": difference}
    else:
        right = _right(recipe, plan, tested, dataset.name)
        metrics["test_accuracy"] = share_of(right)
        if recipe.data.test_views:
            metrics["test_accuracy_without_views"] = plan_accuracy(plan, tested.x, tested.y)
    known, labels = dataset.train.y, tested.y[tested.y >= 0]
    common = torch.bincount(known[known >= 0]).argmax()
    metrics["majority_class"] = float((labels == common).double().mean())
    metrics |= _information(plan, dataset) if recipe.data.holds_out else {}
    return Scores(metrics, RightSamples.of(right.numpy(), labels.cpu().numpy()))


def _right(recipe: Recipe, plan: Plan, split: Split, name: str) -> Tensor:
    """Which samples are right, by the views that the recipe scores."""
    if not recipe.data.test_views:
        return plan_right_samples(plan, split.x, split.y)
    with evaluating_repeatably(plan):
        return right_samples(view_scores(plan_scores(plan), mirror=mirrors_alike(name)), split.x, split.y)


def _folded(model: nn.Module, dataset: Dataset) -> tuple[Tensor, float]:
    """Fold the last linear layer: the folded network is the result, and must give the same scores."""
    folded = fold_head(cast(nn.Sequential, model)).eval()
    x, y = dataset.test.x, dataset.test.y
    model.eval()
    with torch.no_grad():
        difference = (folded(x) - model(x)).abs().max().item()
    return right_samples(folded, x, y), difference


def _information(plan: Plan, dataset: Dataset) -> dict[str, float]:
    """Both coordinates of the deepest layer that an information objective trained, on the validation samples."""
    held_out = dataset.validation
    trained = [n for stage in plan.stages() for n in stage]
    local = evaluate_modules(plan, held_out.x, held_out.y, trained)
    found: dict[str, float] = {}
    for values in local.values():
        # Not merged: two coordinates of two layers are no point of any plane.
        found = {name: values[name] for name in ("mi_xt_nats", "mi_ty_nats") if name in values} or found
    return found


def _denoising(plan: Plan, model: nn.Module, dataset: Dataset, is_trial: bool) -> dict[str, float]:
    if is_trial:
        return {"validation_psnr_db": denoising_psnr_db(plan, dataset.validation.x)}
    splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    metrics = {f"{name}_psnr_db": denoising_psnr_db(plan, split.x) for name, split in splits.items()}
    noise = model.get_submodule("noise")
    return metrics | {"noisy_psnr_db": denoising_psnr_db(plan, dataset.test.x, model=noise)}


def _regression(plan: Plan, dataset: Dataset, is_trial: bool) -> dict[str, float]:
    scaling = dataset.target_scaling
    if is_trial:
        return {"validation_mae": plan_error(plan, dataset.validation, scaling)}
    splits = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    metrics = {f"{name}_mae": plan_error(plan, split, scaling) for name, split in splits.items()}
    return metrics | reference_errors(dataset)
