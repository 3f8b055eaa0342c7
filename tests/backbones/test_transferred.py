"""Frozen means frozen: for every strategy and several families, bit for bit, buffers too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import Backbone, Transferred
from headstart.data.batches import Batches
from headstart.errors import InternalError
from headstart.objectives import CrossEntropy
from headstart.strategies import TABLE, Strategy, frozen_cut
from headstart.training import Recipe, Scores, finetune, train

Load = Callable[[str], Backbone]
FAST = ("test_resnet", "mobilenetv3_small_050", "test_efficientnet", "test_vit")
SLOW = ("resnet18", "convnext_atto", "regnety_002", "tf_efficientnet_lite0", "swin_tiny_patch4_window7_224")
FAMILIES = [*FAST, *(pytest.param(family, marks=pytest.mark.slow) for family in SLOW)]
rows = pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
families = pytest.mark.parametrize("family", FAMILIES)


def random_batches(backbone: Backbone, n: int = 12) -> Batches:
    rng = np.random.default_rng(0)
    size = backbone.preprocessing.size
    pixels = rng.integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    return Batches(lambda i: pixels[i], backbone.preprocessing.tensor, np.arange(n), np.arange(n) % 3, 4)


def recipe_of(row: Strategy) -> Recipe:
    return (row.recipe or finetune)(12, epochs=2)


def run(model: Transferred, recipe: Recipe, folder: Path) -> None:
    """Two epochs of real steps, after which the last epoch is kept: each is told to be better."""
    losses = iter([3.0, 2.0, 1.0])
    train(
        model,
        random_batches(model.backbone),
        objective=CrossEntropy(recipe.label_smoothing),
        recipe=recipe,
        seed=0,
        evaluate=lambda _model: Scores(next(losses), 0.0),
        checkpoint=folder / "checkpoint.safetensors",
        progress=lambda done, planned: None,
    )


def state(*modules: nn.Module) -> list[Tensor]:
    return [t.detach().clone() for m in modules for t in (*m.parameters(), *m.buffers())]


def same(before: list[Tensor], after: list[Tensor]) -> list[bool]:
    return [torch.equal(a, b) for a, b in zip(before, after, strict=True)]


@families
@rows
def test_what_is_frozen_stays_and_what_trains_moves(fresh: Load, row: Strategy, family: str, tmp_path: Path) -> None:
    backbone, recipe = fresh(family), recipe_of(row)
    cut = frozen_cut(row, backbone.cuts)
    head = nn.Linear(backbone.widths["top"], 3)
    model = Transferred(backbone, head, frozen=cut, source_statistics=recipe.source_statistics)
    kept = [backbone.lower(cut)] if cut else []
    trained = [*backbone.upper(cut), head] if cut != "top" else [head]
    trained = [module for module in trained if any(True for _ in module.parameters())]
    before, moving = state(*kept), [state(*[module]) for module in trained]
    digest = model.frozen_digest()

    run(model, recipe, tmp_path)

    assert all(same(before, state(*kept))), "a frozen tensor moved"
    assert model.frozen_digest() == digest
    for module, then in zip(trained, moving, strict=True):
        assert not all(same(then, state(module))), f"{type(module).__name__} was to train and did not move"
    assert {id(p) for p in model.trainable()} == {id(p) for module in trained for p in module.parameters()}


@families
def test_the_frozen_part_is_in_evaluation_mode_whatever_train_says(fresh: Load, family: str) -> None:
    backbone = fresh(family)
    cut = frozen_cut(TABLE["upper_half"], backbone.cuts)
    model = Transferred(backbone, nn.Linear(backbone.widths["top"], 3), frozen=cut).train()
    below = [m for segment in backbone.lower(cut) for m in segment.modules()]
    assert below and not any(m.training for m in below)
    own = set(backbone.network.modules())
    above = [m for segment in backbone.upper(cut) for m in segment.modules() if m in own]
    assert above
    assert model.training and model.head.training and all(m.training for m in above)
    assert not any(m.training for m in model.eval().modules())


@pytest.mark.parametrize("source_statistics", [True, False])
def test_source_statistics_keeps_batch_norms_and_trains_their_weights(
    fresh: Load, source_statistics: bool, tmp_path: Path
) -> None:
    backbone = fresh("test_resnet")
    recipe = Recipe(epochs=2, batch_size=4, lr=1e-2, lr_head=1e-2)
    model = Transferred(backbone, nn.Linear(96, 3), source_statistics=source_statistics)
    buffers = [buffer.clone() for buffer in backbone.buffers()]
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
    weights = [norm.weight.detach().clone() for norm in norms]
    run(model, recipe, tmp_path)
    assert len(buffers) == 3 * len(norms) > 0
    assert set(same(buffers, list(backbone.buffers()))) == {source_statistics}
    assert not any(same(weights, [norm.weight for norm in norms]))


def test_a_frozen_tensor_that_moves_is_an_internal_error(fresh: Load, tmp_path: Path) -> None:
    backbone = fresh("test_efficientnet")
    model = Transferred(backbone, nn.Linear(256, 3), frozen="stem")

    class Meddles(CrossEntropy):
        def forward(self, model: nn.Module, batch: object, progress: float) -> dict[str, Tensor]:
            for buffer in backbone.lower("stem").buffers():
                buffer.add_(1)
            return super().forward(model, batch, progress)  # type: ignore[arg-type]

    losses = iter([2.0, 1.0])
    with pytest.raises(InternalError, match="frozen part of the network moved"):
        train(
            model,
            random_batches(backbone),
            objective=Meddles(),
            recipe=Recipe(epochs=1, batch_size=4, lr=1e-3, lr_head=1e-3),
            seed=0,
            evaluate=lambda _model: Scores(next(losses), 0.0),
            checkpoint=tmp_path / "c",
            progress=lambda done, planned: None,
        )


@families
def test_no_gradient_reaches_below_the_cut(fresh: Load, family: str) -> None:
    backbone = fresh(family)
    cut = frozen_cut(TABLE["last_block"], backbone.cuts)
    model = Transferred(backbone, nn.Linear(backbone.widths["top"], 3), frozen=cut).train()
    model(torch.randn(2, 3, 64, 64)).square().sum().backward()
    assert all(p.grad is None for p in backbone.lower(cut).parameters())
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in backbone.upper(cut).parameters())


def test_the_head_reads_the_cuts_it_names_in_their_order(fresh: Load) -> None:
    backbone, x = fresh("test_efficientnet"), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        pooled = dict(zip(backbone.cuts, backbone(x), strict=True))
    cuts = ("logits", "blocks.2", "top")
    model = Transferred(backbone, nn.Identity(), cuts=cuts, frozen="top").eval()
    assert torch.equal(model(x), torch.cat([pooled[cut] for cut in cuts], 1))
    assert not model(x).requires_grad


def test_nothing_of_a_frozen_network_trains_even_where_its_logits_are_read(fresh: Load) -> None:
    for family in ("test_resnet", "test_efficientnet"):
        model = Transferred(fresh(family), nn.Identity(), cuts=("top", "logits"), frozen="top")
        assert model.trainable() == []


def test_the_sources_classifier_is_cut_off_where_nothing_reads_it(fresh: Load) -> None:
    for family in FAST:
        backbone = fresh(family)
        Transferred(backbone, nn.Identity())
        assert backbone.cuts[-1] == "top"
        assert not any(p.shape[0] == 1000 for p in backbone.parameters()), family


def test_a_thawed_network_trains_again(fresh: Load) -> None:
    backbone = fresh("test_efficientnet")
    Transferred(backbone, nn.Identity(), frozen="top")
    assert not any(p.requires_grad for p in backbone.parameters())
    Transferred(backbone, nn.Identity())
    assert all(p.requires_grad for p in backbone.parameters())
