"""Proximal splitting as it is written down: the penalty is formed with create_graph and differentiated through f."""

import torch


def forward_gradient(f, g, x, loss_fn, *, order, step, penalty="l2", weight=1.0):
    """The gradient of f's objective in its parameters, by double backward through everything."""
    z = f(x)
    parts = z if isinstance(z, tuple) else tuple(z.values()) if isinstance(z, dict) else (z,)
    parts = [part for part in parts if part.is_floating_point()]
    loss = loss_fn(g(z))
    slopes = torch.autograd.grad(loss, parts, create_graph=True)
    value = {
        "l2": lambda t: t.square().sum() / 2,
        "l1": lambda t: t.abs().sum(),
        "huber": lambda t: torch.nn.functional.huber_loss(t, torch.zeros_like(t), reduction="sum", delta=1.0),
    }[penalty]
    if order == 1:
        targets = [(part - step * slope).detach() for part, slope in zip(parts, slopes, strict=True)]
        total = sum(weight * value(part - target) for part, target in zip(parts, targets, strict=True))
    else:
        total = sum(weight * value(step * slope) for slope in slopes)
        if order == "hybrid":
            total = total + loss
        if order == "whole":
            moved = parts[0] - step * slopes[0]
            total = total + loss_fn(g(moved))
    return torch.autograd.grad(total, [p for p in f.parameters() if p.requires_grad])
