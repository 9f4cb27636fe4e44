"""Sums of per-shopper clipped gradients, by Opacus: one row is one shopper.

``GHOST`` finds every shopper's norm without making her gradient and backpropagates the weighted sum
(Li et al. 2022, "Large language models can be strong differentially private learners"); ``HOOKS``
makes every gradient. Both give the same sum; memory and seconds differ (benchmarks).
"""

import warnings
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import torch
from opacus.grad_sample import GradSampleModule
from opacus.grad_sample.grad_sample_module_fast_gradient_clipping import (
    GradSampleModuleFastGradientClipping,
)
from torch import nn

from client.contributions.history import FloatArray
from client.store.neural.examples import Rows
from client.store.neural.model import losses
from crypto.update import RawUpdate

# Norms are computed in single precision: the bound is kept with room for its rounding.
_ROOM: Final = 1e-3
SHOPPERS_AT_ONCE: Final = 256
Gradients = npt.NDArray[np.float32]


class Clipping(StrEnum):
    """How per-shopper clipping is done."""

    GHOST = "ghost"
    HOOKS = "hooks"


def clipped_sum(
    model: nn.Module,
    rows: Rows,
    *,
    clipping_norm: float,
    mode: Clipping = Clipping.GHOST,
    at_once: int = SHOPPERS_AT_ONCE,
) -> FloatArray:
    """The sum over shoppers of each one's gradient, clipped to ``clipping_norm``.

    Args:
        model: its parameters are not changed.
        rows: one a shopper.
        clipping_norm: bound of each shopper's part, L2.
        mode: how; the sum is the same.
        at_once: shoppers in memory at a time; the sum is the same.

    Returns:
        float64, shape (dimension,). Guarantee: no shopper's row moves it by more than
        ``clipping_norm``.
    """
    if not clipping_norm > 0:
        raise ValueError(f"Expected clipping_norm={clipping_norm} > 0.")
    total = np.zeros(sum(p.numel() for p in model.parameters()))
    for start in range(0, len(rows), at_once):
        part = rows.take(slice(start, start + at_once))
        if mode is Clipping.GHOST:
            total += _ghost(model, part, clipping_norm)
        else:
            gradients = _per_shopper(model, part)
            factors = _factors(np.linalg.norm(gradients, axis=1), clipping_norm)
            total += factors @ gradients.astype(np.float64)
    return total


def contributions(
    model: nn.Module, rows: Rows, *, clipping_norm: float, at_once: int = 32
) -> Iterator[RawUpdate]:
    """Each shopper's gradient in units of ``clipping_norm``, in their order.

    ``client.protect`` clips each to 1: these go the way of every other update, sealed and summed.
    """
    for start in range(0, len(rows), at_once):
        for gradient in _per_shopper(model, rows.take(slice(start, start + at_once))):
            yield RawUpdate(gradient.astype(np.float64) / clipping_norm)


def _tensors(model: nn.Module, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
    device = next(model.parameters()).device
    before = torch.as_tensor(rows.before, device=device)
    return before, torch.as_tensor(rows.wanted, device=device)


def _factors(norms: npt.NDArray[Any], clipping_norm: float) -> FloatArray:
    bounded = clipping_norm / (norms.astype(np.float64) * (1 + _ROOM) + 1e-12)
    factors: FloatArray = np.minimum(bounded, 1.0)
    return np.where(np.isfinite(norms), factors, 0.0)


def _per_shopper(model: nn.Module, rows: Rows) -> Gradients:
    """Each shopper's gradient, shape (shoppers, dimension)."""
    wrapped = GradSampleModule(model, loss_reduction="sum")
    try:
        before, wanted = _tensors(model, rows)
        _backward(losses(wrapped, before, wanted).sum())
        parts = [p.grad_sample.flatten(1) for p in model.parameters()]  # type: ignore[attr-defined]
        gradients: Gradients = torch.cat(parts, dim=1).detach().cpu().numpy()
    finally:
        wrapped.to_standard_module()
        _forget(model)
    return gradients


def _ghost(model: nn.Module, rows: Rows, clipping_norm: float) -> FloatArray:
    wrapped = GradSampleModuleFastGradientClipping(
        model, loss_reduction="sum", max_grad_norm=clipping_norm, use_ghost_clipping=True
    )
    try:
        before, wanted = _tensors(model, rows)
        each = losses(wrapped, before, wanted)
        _backward(each.sum(), retain_graph=True)
        norms = wrapped.get_norm_sample().detach().cpu().numpy()
        factors = torch.as_tensor(_factors(norms, clipping_norm), dtype=each.dtype)
        wrapped.disable_hooks()
        model.zero_grad()
        _backward((factors.to(each.device) * each).sum())
        parts = [torch.zeros_like(p) if p.grad is None else p.grad for p in model.parameters()]
        flat = torch.cat([part.flatten() for part in parts])
        total: FloatArray = flat.cpu().numpy().astype(np.float64)
    finally:
        wrapped.to_standard_module()
        _forget(model)
    return total


def _backward(loss: torch.Tensor, **how: Any) -> None:
    with warnings.catch_warnings():
        # A first layer's inputs need no gradient; torch says so at every step.
        warnings.filterwarnings("ignore", message="Full backward hook is firing")
        loss.backward(**how)  # type: ignore[no-untyped-call]


def _forget(model: nn.Module) -> None:
    """Leave no trace of a shopper in the model: neither her gradient nor what the layers saw."""
    for module in model.modules():
        for name in ("activations", "max_batch_len"):
            if hasattr(module, name):
                delattr(module, name)
    for parameter in model.parameters():
        parameter.grad = None
        for name in ("grad_sample", "_norm_sample", "_current_grad_sample", "_forward_counter"):
            if hasattr(parameter, name):
                delattr(parameter, name)
