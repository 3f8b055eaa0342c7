"""AdaBN: statistics beside numpy, layer by layer; nothing else differs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import Backbone, Transferred
from headstart.backbones.statistics import Moments, adapt_batch_norms
from headstart.errors import BackboneError

Load = Callable[[str], Backbone]


def model_of(backbone: Backbone) -> Transferred:
    torch.manual_seed(0)
    model = Transferred(backbone, nn.Linear(backbone.widths["top"], 3), source_statistics=True)
    for module in norms_of(model):  # a source with statistics of its own
        module.running_mean.normal_(0, 0.1)
        module.running_var.uniform_(0.5, 1.5)
        with torch.no_grad():
            module.weight.uniform_(0.5, 1.5)
    return model.eval()


def norms_of(model: Transferred) -> list[nn.BatchNorm2d]:
    return [module for module in model.backbone.modules() if isinstance(module, nn.BatchNorm2d)]


def given(model: Transferred, x: Tensor) -> list[np.ndarray]:
    """What each norm is given, (c, rows)."""
    found: list[np.ndarray] = []

    def keep(_m: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.append(np.moveaxis(inputs[0].detach().numpy().astype("f8"), 1, 0).reshape(inputs[0].shape[1], -1))

    handles = [norm.register_forward_pre_hook(keep) for norm in norms_of(model)]
    with torch.no_grad():
        model(x)
    for handle in handles:
        handle.remove()
    return found


def images(n: int, seed: int) -> Tensor:
    torch.manual_seed(seed)
    return seed + torch.randn(n, 3, 64, 64) * (1 + seed)


@pytest.mark.parametrize("family", ["test_efficientnet", "test_resnet"])
def test_every_norm_sees_the_target_with_mean_0_and_variance_1(fresh: Load, family: str) -> None:
    model, x = model_of(fresh(family)), images(6, 1)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    adapted = adapt_batch_norms(model, [x])
    for norm, rows in zip(norms_of(adapted), given(adapted, x), strict=True):
        np.testing.assert_allclose(norm.running_mean.numpy(), rows.mean(1), atol=1e-4)
        np.testing.assert_allclose(norm.running_var.numpy(), rows.var(1), rtol=1e-3)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items()), "the model is copied"
    changed = {name for name, tensor in adapted.state_dict().items() if not torch.equal(tensor, before[name])}
    assert len(changed) == 2 * len(norms_of(model)) and all("running_" in name for name in changed)


def test_with_the_source_at_hand_the_target_arrives_as_the_source_did(fresh: Load) -> None:
    model, x_s, x_t = model_of(fresh("test_efficientnet")), images(6, 0), images(5, 1)
    adapted = adapt_batch_norms(model, [x_t], source=[x_s])

    def normalised(of: Transferred, x: Tensor) -> list[np.ndarray]:
        return [
            (rows - norm.running_mean.numpy()[:, None]) / np.sqrt(norm.running_var.numpy()[:, None] + norm.eps)
            for norm, rows in zip(norms_of(of), given(of, x), strict=True)
        ]

    for there, here in zip(normalised(model, x_s), normalised(adapted, x_t), strict=True):
        np.testing.assert_allclose(here.mean(1), there.mean(1), atol=1e-3)
        np.testing.assert_allclose(here.std(1), there.std(1), rtol=1e-2, atol=1e-3)


def test_a_target_that_is_the_source_changes_nothing(fresh: Load) -> None:
    model, x = model_of(fresh("test_resnet")), images(6, 0)
    same = adapt_batch_norms(model, [x[:4], x[4:]], source=[x])
    for one, other in zip(norms_of(adapt_batch_norms(model, [x], source=[x])), norms_of(model), strict=True):
        torch.testing.assert_close(one.running_mean, other.running_mean, atol=1e-4, rtol=1e-3)
        torch.testing.assert_close(one.running_var, other.running_var, atol=1e-4, rtol=1e-3)
    assert not same.training


def test_moments_add_up_over_batches_of_any_size() -> None:
    x = torch.randn(17, 4, 3, 3) + 5
    moments = Moments(0, torch.zeros(4).double(), torch.zeros(4).double())
    for part in x.split((2, 10, 5)):
        moments.add(part)
    rows = np.moveaxis(x.numpy().astype("f8"), 1, 0).reshape(4, -1)
    np.testing.assert_allclose(moments.mean, rows.mean(1), rtol=1e-9)
    np.testing.assert_allclose(moments.variance, rows.var(1), rtol=1e-9)
    assert moments.n == rows.shape[1]


def test_a_network_without_batch_norms_is_refused(fresh: Load) -> None:
    backbone = fresh("test_vit")
    with pytest.raises(BackboneError, match="no batch norms"):
        adapt_batch_norms(Transferred(backbone, nn.Linear(backbone.widths["top"], 3)), [images(2, 0)])
