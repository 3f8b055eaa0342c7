"""Frozen means frozen: for every strategy and several families, bit for bit, buffers too."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import ADAPTERS, Backbone, Transferred
from headstart.data.batches import Batches
from headstart.errors import InternalError
from headstart.objectives import CrossEntropy, Penalty, Start
from headstart.strategies import TABLE, Strategy, frozen_cut
from headstart.training import Recipe, Scores, finetune, gradual, relative_gradients, train
from headstart.training.loop import make_optimizer
from headstart.training.recipe import held_cut

Load = Callable[[str], Backbone]
FAST = ("test_resnet", "mobilenetv3_small_050", "test_efficientnet", "test_vit", "test_convnext", "test_byobnet")
SLOW = ("regnety_002", "tf_efficientnet_lite0", "swin_tiny_patch4_window7_224")
FAMILIES = [*FAST, *(pytest.param(family, marks=pytest.mark.slow) for family in SLOW)]
rows = pytest.mark.parametrize("row", TABLE.values(), ids=TABLE.keys())
families = pytest.mark.parametrize("family", FAMILIES)
fast_families = pytest.mark.parametrize("family", FAST)
# The slow families check each kind of freezing; what else a row does is the same for all families.
KINDS = ("probe", "upper_half", "biases", "norms", "surgical", "lora", "dora", "all", "scratch")
rows_of_families = pytest.mark.parametrize(
    ("row", "family"),
    [
        *((TABLE[name], family) for name in TABLE for family in FAST),
        *(pytest.param(TABLE[name], family, marks=pytest.mark.slow) for name in KINDS for family in SLOW),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)


def random_batches(backbone: Backbone, n: int = 12) -> Batches:
    rng = np.random.default_rng(0)
    size = backbone.preprocessing.size
    pixels = rng.integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    return Batches(lambda i: pixels[i], backbone.preprocessing.tensor, np.arange(n), np.arange(n) % 3, 4)


def recipe_of(row: Strategy) -> Recipe:
    return (row.recipe or finetune)(12, epochs=6 if row.recipe and row.recipe(12, epochs=6).gradual else 2)


def model_of(row: Strategy, backbone: Backbone) -> Transferred:
    torch.manual_seed(0)
    if row.only in ADAPTERS:
        # Random residual branches begin with a norm of weight 0, and a frozen one would keep them there.
        for module in backbone.modules():
            weight = getattr(module, "weight", None)
            if isinstance(weight, nn.Parameter) and weight.dim() == 1 and not weight.any():
                nn.init.ones_(weight)
    model = Transferred(
        backbone,
        nn.Linear(backbone.widths["top"], 3),
        frozen=frozen_cut(row, backbone.cuts),
        source_statistics=recipe_of(row).source_statistics,
        only=row.only,
    )
    if row.frozen != "all but one block":
        return model
    found = relative_gradients(model, list(random_batches(backbone).in_order()), objective=CrossEntropy())
    return Transferred(
        backbone, model.head, source_statistics=model.source_statistics, block=max(found, key=lambda cut: found[cut])
    )


def penalties_of(row: Strategy, model: Transferred) -> list[Penalty]:
    width = model.backbone.widths["top"]
    torch.manual_seed(1)
    z = np.random.default_rng(1).normal(size=(12, width)).astype("f4")
    start = Start(model, nn.Linear(width, 5), z, np.arange(12) % 3)
    return [row.penalty(start)] if row.penalty else []


def run(model: Transferred, recipe: Recipe, folder: Path, *, row: Strategy | None = None) -> None:
    """Epochs of real steps, after which the last one is kept: each is told to be better."""
    losses = iter(range(100, 0, -1))
    train(
        model,
        random_batches(model.backbone),
        objective=CrossEntropy(
            recipe.label_smoothing,
            mixup=recipe.mixup,
            penalties=penalties_of(row, model) if row else [],
        ),
        recipe=recipe,
        seed=0,
        evaluate=lambda _model: Scores(np.full(2, next(losses)), 0.0),
        checkpoint=folder / "checkpoint.safetensors",
        progress=lambda done, planned: None,
    )


def state(*modules: nn.Module) -> list[Tensor]:
    return [t.detach().clone() for m in modules for t in (*m.parameters(), *m.buffers())]


def same(before: list[Tensor], after: list[Tensor]) -> list[bool]:
    return [torch.equal(a, b) for a, b in zip(before, after, strict=True)]


def expected_to_train(row: Strategy, model: Transferred) -> set[str]:
    """Names of the parameters that a row is said to train, found without the model's own means."""
    backbone, cut = model.backbone, frozen_cut(row, model.backbone.cuts)
    above = backbone.upper(cut) if cut != "top" else nn.Sequential()
    chosen = {id(p) for p in above.parameters()}
    if row.frozen == "all but one block":
        chosen = {id(p) for p in dict(backbone.segments())[model.block].parameters()}
    if row.only == "norms":
        chosen = {id(p) for m in above.modules() if "Norm" in type(m).__name__ for p in m.parameters(recurse=False)}
    elif row.only == "biases":
        chosen = {id(p) for name, p in above.named_parameters() if name.rpartition(".")[2] == "bias"}
    elif row.only in ADAPTERS:
        added = (".lora_A.", ".lora_B.", *([".lora_magnitude_vector."] if row.name == "dora" else []))
        chosen = {id(p) for name, p in above.named_parameters() if any(part in name for part in added)}
    return {n for n, p in model.named_parameters() if id(p) in chosen or n.startswith("head.")}


def rows_moved(model: Transferred, before: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def snapshot(model: Transferred) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}


@rows_of_families
def test_what_is_frozen_stays_and_what_trains_moves(fresh: Load, row: Strategy, family: str, tmp_path: Path) -> None:
    model, recipe = model_of(row, fresh(family)), recipe_of(row)
    wanted, before, digest = expected_to_train(row, model), snapshot(model), model.fixed_digest()
    statistics = {name for name, _ in model.named_buffers()} if row.trains and not recipe.source_statistics else set()

    run(model, recipe, tmp_path, row=row)

    moved = rows_moved(model, before)
    assert not moved - wanted - statistics, "a tensor moved that was not to train"
    # A bias before a softmax or a norm may have a gradient of nothing but zeros.
    still = {name for name in wanted - moved if not name.endswith("bias") and before[name].numel() > 1}
    assert not still, "a tensor was to train and did not move"
    assert model.fixed_digest() == digest
    assert {name for name, p in model.named_parameters() if p.requires_grad} == wanted
    assert set(model.moving_state()) - {name for name, _ in model.named_buffers()} == wanted


@pytest.mark.parametrize("family", ["test_efficientnet", "test_vit"])
def test_as_many_last_blocks_train_as_are_named(fresh: Load, family: str, tmp_path: Path) -> None:
    row = TABLE["last_2"]
    model = model_of(row, fresh(family))
    segments = model.backbone.segments()
    before = {cut: state(module) for cut, module in segments}
    run(model, replace(recipe_of(row), lr=1e-2), tmp_path)
    still = [cut for cut, module in segments if all(same(before[cut], state(module)))]
    assert len(segments) > 3 and still == [cut for cut, _ in segments[:-3]]


@fast_families
@rows
def test_the_table_of_parts_counts_what_trains(fresh: Load, row: Strategy, family: str) -> None:
    model = model_of(row, fresh(family))
    parts = {part.cut: part for part in model.parts()}
    assert list(parts) == [*(cut for cut in model.backbone.cuts if cut != "logits"), "head"]
    of = dict(model.named_parameters())
    assert sum(part.training for part in parts.values()) == sum(of[n].numel() for n in expected_to_train(row, model))
    assert sum(part.parameters for part in parts.values()) == sum(p.numel() for p in of.values())
    assert sum(part.buffers for part in parts.values()) == sum(b.numel() for b in model.buffers())
    keeps = recipe_of(row).source_statistics or row.frozen == "everything"
    kept = {name for name, _ in model.named_buffers()} & set(model.state_dict())
    assert (sum(part.moving for part in parts.values()) == 0) is (keeps or not kept)


@fast_families
def test_gradual_unfreezing_reaches_every_block_in_its_turn(fresh: Load, family: str, tmp_path: Path) -> None:
    backbone = fresh(family)
    model = Transferred(backbone, nn.Linear(backbone.widths["top"], 3), source_statistics=True)
    recipe = replace(gradual(12, epochs=8), lr=1e-2)
    seen: list[dict[str, Tensor]] = []

    def watch(current: nn.Module) -> Scores:
        seen.append(snapshot(model))
        return Scores(np.full(2, 100.0 - len(seen)), 0.0)

    train(
        model,
        random_batches(backbone),
        objective=CrossEntropy(),
        recipe=recipe,
        seed=0,
        evaluate=watch,
        checkpoint=tmp_path / "c",
        progress=lambda done, planned: None,
    )
    names = {cut: {id(p) for p in module.parameters()} for cut, module in backbone.segments()}
    for epoch in range(1, 9):
        held = held_cut(backbone.cuts, epoch, epochs=8)
        below = list(names)[: list(names).index(held) + 1] if held else []
        still = {id(p) for cut in below for p in (dict(backbone.segments())[cut]).parameters()}
        for name, parameter in model.named_parameters():
            same_bits = torch.equal(seen[epoch - 1][name], seen[epoch][name])
            if id(parameter) in still:
                assert same_bits, f"{name} moved in epoch {epoch}, below {held}"
            elif parameter.dim() > 1:
                assert not same_bits, f"{name} did not move in epoch {epoch}, above {held or 'nothing'}"
    assert held_cut(backbone.cuts, 1, epochs=8) or len(names) < 2
    assert model.held == "" and all(p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("name", ["gradual", "lora", "dora"])
def test_what_is_held_or_added_resumes_with_the_same_bits(fresh: Load, name: str, tmp_path: Path) -> None:
    make = TABLE[name].recipe
    assert make is not None
    recipe = replace(make(12, epochs=6), lr=1e-2)

    def go(place: str, *, stop_after: int = 99) -> Transferred:
        model = model_of(TABLE[name], fresh("test_efficientnet"))
        calls = iter(range(stop_after))

        def evaluate(_: nn.Module) -> Scores:
            if next(calls, None) is None:
                raise KeyboardInterrupt
            return Scores(np.full(2, -sum(p.sum().item() for p in model.parameters())), 0.0)

        with suppress(KeyboardInterrupt):
            train(
                model,
                random_batches(model.backbone),
                objective=CrossEntropy(),
                recipe=recipe,
                seed=0,
                evaluate=evaluate,
                checkpoint=tmp_path / place,
                progress=lambda done, planned: None,
            )
        return model

    whole = go("whole")
    for stop_after in (2, 3, 4):
        go(f"broken-{stop_after}", stop_after=stop_after)
        again = go(f"broken-{stop_after}")
        assert not rows_moved(again, snapshot(whole))


def test_rates_fall_from_block_to_block(fresh: Load) -> None:
    model = model_of(TABLE["by_layer"], fresh("test_resnet"))
    optimizer = make_optimizer(model, Recipe(epochs=1, batch_size=4, lr=1.0, lr_head=2.0, layer_decay=0.5))
    peak = {id(p): group["peak"] for group in optimizer.param_groups for p in group["params"]}
    cuts = [cut for cut, module in model.backbone.segments()]
    for place, (_, module) in enumerate(model.backbone.segments()):
        assert {peak[id(p)] for p in module.parameters()} <= {0.5 ** (len(cuts) - 1 - place)}
    assert {peak[id(p)] for p in model.head.parameters()} == {2.0}


TOGETHER = [
    f"{name}/{family}"
    for name in ("upper_half", "biases", "norms", "surgical", "lora", "gradual")
    for family in ("test_resnet", "test_vit")
]


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Return what each of two processes told of all cases, by case: to start them costs more than to train."""
    folder = tmp_path_factory.mktemp("together")
    command = [sys.executable, str(Path(__file__).with_name("together.py")), str(folder)]
    both = [subprocess.Popen([*command, str(rank), *TOGETHER]) for rank in range(2)]
    assert [process.wait(timeout=300) for process in both] == [0, 0]
    return [json.loads((folder / f"rank-{rank}.json").read_text()) for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("case", TOGETHER)
def test_frozen_stays_frozen_when_two_processes_train_together(two_processes: list[dict[str, Any]], case: str) -> None:
    told, other = (process[case] for process in two_processes)
    assert told == other, "the two went apart"
    assert all(told["stayed"]), "a tensor moved that was frozen or held"
    assert not set(told["moved"]) - set(told["wanted"]), "a tensor moved that was not to train"
    assert not set(told["still"]) - set(told["moved"]), "a tensor was to train and did not move"
    # Held at two cuts and then let go: what moved in the end was unfrozen after the two were joined.
    assert len(set(told["held"])) == (3 if case.startswith("gradual") else 1) and told["held"][-1] == ""


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
            evaluate=lambda _model: Scores(np.full(2, next(losses)), 0.0),
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


@families
def test_maps_are_what_runs_to_each_cut_and_end_with_the_features(fresh: Load, family: str) -> None:
    backbone, x = fresh(family), torch.randn(2, 3, 64, 64)
    cuts = [cut for cut in backbone.cuts if cut != "logits"]
    for cut in ("", frozen_cut(TABLE["upper_half"], cuts)):
        model = Transferred(backbone, nn.Linear(backbone.widths["top"], 3), frozen=cut).eval()
        with torch.no_grad():
            maps = model.maps(x)
            assert list(maps) == cuts[cuts.index(cut) + 1 if cut else 0 :]
            assert all(torch.equal(maps[name], backbone.lower(name)(x)) for name in maps)
            assert torch.equal(maps["top"], model.features(x))
            if cut:
                entered = model.above().maps(backbone.lower(cut)(x))
                assert list(entered) == list(maps)
                assert all(torch.equal(entered[name], maps[name]) for name in maps)


def test_the_head_reads_the_cuts_it_names_in_their_order(fresh: Load) -> None:
    backbone, x = fresh("test_efficientnet"), torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        pooled = dict(zip(backbone.cuts, backbone(x), strict=True))
    cuts = ("logits", "blocks.2", "top")
    model = Transferred(backbone, nn.Identity(), cuts=cuts, frozen="top").eval()
    assert torch.equal(model(x), torch.cat([pooled[cut] for cut in cuts], 1))
    assert not model(x).requires_grad


@fast_families
def test_any_one_block_can_train_between_frozen_ones(fresh: Load, family: str, tmp_path: Path) -> None:
    for number, (block, _) in enumerate(fresh(family).segments()):
        backbone = fresh(family)
        segments = dict(backbone.segments())
        model = Transferred(backbone, nn.Linear(backbone.widths["top"], 3), block=block)
        # Some tops hold the source's classifier, which is cut off by now.
        own = {id(p) for p in segments[block].parameters()}
        before, statistics = snapshot(model), {id(b) for b in segments[block].buffers()}
        assert model.frozen == (list(segments)[number - 1] if number else "")
        run(model, Recipe(epochs=1, batch_size=4, lr=1e-2, lr_head=1e-2), tmp_path / block)
        named = dict([*model.named_parameters(), *model.named_buffers()])
        moved = {n for n in rows_moved(model, before) if not n.startswith("head.")}
        assert {id(named[name]) for name in moved} <= own | statistics, block
        assert bool(moved) is bool(own), block
        model.train()
        still = [m for cut, s in segments.items() if cut != block for m in s.modules()]
        assert not any(m.training for m in still) and (segments[block].training or block == "top")


def test_nothing_of_a_frozen_network_trains_even_where_its_logits_are_read(fresh: Load) -> None:
    for family in ("test_resnet", "test_efficientnet"):
        model = Transferred(fresh(family), nn.Identity(), cuts=("top", "logits"), frozen="top")
        assert model.trainable() == []


def test_the_sources_classifier_is_cut_off_where_nothing_reads_it(fresh: Load) -> None:
    for family in FAST:
        backbone = fresh(family)
        classifier = backbone.classifier()
        assert classifier is not None and classifier.out_features == 1000
        Transferred(backbone, nn.Identity())
        assert backbone.classifier() is None
        assert backbone.cuts[-1] == "top"
        assert not any(p.shape[0] == 1000 for p in backbone.parameters()), family


def test_a_thawed_network_trains_again(fresh: Load) -> None:
    backbone = fresh("test_efficientnet")
    Transferred(backbone, nn.Identity(), frozen="top")
    assert not any(p.requires_grad for p in backbone.parameters())
    Transferred(backbone, nn.Identity())
    assert all(p.requires_grad for p in backbone.parameters())
