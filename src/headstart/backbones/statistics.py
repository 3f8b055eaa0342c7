"""AdaBN: batch norms normalise by what they meet in the target, and nothing is trained."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm as Norm

from headstart.backbones.transferred import Transferred
from headstart.errors import BackboneError


@dataclass
class Moments:
    """Mean and variance, (c,), of what a batch norm was given, over images and positions together."""

    n: int
    mean: Tensor
    variance: Tensor

    def add(self, x: Tensor) -> Moments:
        """Take in a batch (n, c, …); gives the moments of that batch alone."""
        rows = x.detach().double().transpose(0, 1).flatten(1)
        batch = Moments(rows.shape[1], rows.mean(1), rows.var(1, unbiased=False))
        whole, apart = self.n + batch.n, batch.mean - self.mean
        squares = self.n * self.variance + batch.n * batch.variance + apart.square() * self.n * batch.n / whole
        self.mean = self.mean + apart * batch.n / whole
        self.variance, self.n = squares / whole, whole
        return batch


def has_batch_norms(network: torch.nn.Module) -> bool:
    """Whether there is a batch norm whose statistics may be the target's."""
    return bool(_norms(network))


def adapt_batch_norms(
    model: Transferred, target: Iterable[Tensor], *, source: Iterable[Tensor] | None = None
) -> Transferred:
    """A copy of `model` whose batch norms normalise by the target's statistics.

        x̂ = (x − μ_t) / σ_t      or, with the source's images at hand,
        x̂ = ((x − μ_t) σ_s / σ_t + μ_s − μ) / σ

    μ_t, σ_t are mean and standard deviation, channel by channel, of what a batch norm is given on the target's images
    (the ones before it adapted already, by the batch's own statistics); μ_s, σ_s of what it is given on the source's
    by the model as it is; μ, σ what the model normalises by. The paper's networks were trained so that μ = μ_s and
    σ = σ_s; the two are then the same. A network that was fine-tuned by older statistics, as is done here
    (`source_statistics`), learned to expect the source's images as these leave them: the second form gives that to the
    target's. A target that is the source changes nothing. Statistics are written into the copy's buffers; no
    parameter differs.

    Parameters
    ----------
    model : is left as it is.
    target, source : batches of images, (n, 3, h, w), normalised; larger ones are better, 64 or so.

    Raises
    ------
    BackboneError : there is no batch norm that may adapt.

    Source: Li et al. 2016, *Revisiting batch normalization for practical domain adaptation*,
    https://arxiv.org/abs/1603.04779.

    Examples
    --------
    >>> from headstart.backbones import load_random
    >>> model = Transferred(load_random("test_efficientnet", size=32, seed=0), torch.nn.Linear(256, 2))
    >>> x = torch.rand(16, 3, 32, 32)
    >>> same = adapt_batch_norms(model, [x], source=[x]).eval()
    >>> torch.allclose(same(x), model.eval()(x), atol=1e-3)
    True
    """
    adapted = copy.deepcopy(model).eval()
    norms = _norms(adapted.backbone)
    if not norms:
        raise BackboneError(f"{model.backbone.name} has no batch norms.", "Choose another way to adapt.")
    of_source = _moments(adapted, norms, source) if source is not None else {}
    expected = {norm: _expected(norm, of_source.get(norm)) for norm in norms}

    def normalise(norm: Norm, moments: Moments) -> None:
        """Set the statistics by which these moments come out as expected."""
        (mean, deviation), (running_mean, running_var) = expected[norm], _running(norm)
        wide = (moments.variance + norm.eps).sqrt() / deviation
        running_mean.copy_(moments.mean - wide * mean)
        running_var.copy_((wide.square() - norm.eps).clamp(min=0))

    found = _moments(adapted, norms, target, then=normalise)
    for norm, moments in found.items():
        normalise(norm, moments)
    return adapted.train(model.training)


def _norms(network: torch.nn.Module) -> list[Norm]:
    return [m for m in network.modules() if isinstance(m, Norm) and m.running_mean is not None]


def _running(norm: Norm) -> tuple[Tensor, Tensor]:
    """Mean and variance that it normalises by."""
    assert norm.running_mean is not None and norm.running_var is not None
    return norm.running_mean, norm.running_var


def _expected(norm: Norm, source: Moments | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation that the model was trained to see after normalising."""
    mean, variance = (tensor.double() for tensor in _running(norm))
    if source is None:
        return torch.zeros_like(mean), torch.ones_like(mean)
    scale = (variance + norm.eps).sqrt()
    return (source.mean - mean) / scale, (source.variance + norm.eps).sqrt() / scale


def _moments(
    model: Transferred,
    norms: list[Norm],
    batches: Iterable[Tensor],
    *,
    then: Callable[[Norm, Moments], None] = lambda norm, moments: None,
) -> dict[Norm, Moments]:
    """Moments of what each norm is given over all batches; `then` is told those of each batch before it goes on."""
    zeros = {norm: torch.zeros_like(_running(norm)[0], dtype=torch.float64) for norm in norms}
    found = {norm: Moments(0, none, none) for norm, none in zeros.items()}

    def see(norm: Norm, inputs: tuple[Tensor, ...]) -> None:
        then(norm, found[norm].add(inputs[0]))

    with ExitStack() as stack, torch.no_grad():
        for norm in norms:
            stack.callback(norm.register_forward_pre_hook(see).remove)
        for x in batches:
            model(x)
    return found
