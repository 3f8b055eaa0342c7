"""Trained on stored activations a model ends with the same bits as trained on images."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import Backbone, Transferred, load, load_random
from headstart.data.batches import Augmentation, Batches
from headstart.errors import InternalError
from headstart.features import Activations, Passing, activations
from headstart.objectives import CrossEntropy
from headstart.training import Recipe, Scores, score, train

SIZE = 32
N = 25
RECIPE = Recipe(epochs=3, batch_size=8, lr=2e-3, lr_head=2e-3, patience=9, source_statistics=True, views=2)
Y = np.arange(N) % 3
PIXELS = np.random.default_rng(0).integers(60, 120, (N, SIZE, SIZE, 3), dtype=np.uint8)
PIXELS[np.arange(N), ..., Y] += 100
Store = Callable[..., Activations]


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def images(backbone: Backbone, numbers: np.ndarray | None = None, size: int = 8) -> Batches:
    chosen = np.arange(N) if numbers is None else numbers
    keys = [f"image{i}" for i in chosen]
    return Batches(lambda i: PIXELS[i], backbone.preprocessing.tensor, chosen, Y[chosen], size, keys)


def model_of(backbone: Backbone, *, frozen: str = "") -> Transferred:
    backbone = copy.deepcopy(backbone)
    torch.manual_seed(3)
    middle = backbone.cuts[len(backbone.cuts) // 2 - 1]
    head = nn.Linear(backbone.widths["top"], 3)
    model = Transferred(backbone, head, frozen=frozen or middle, source_statistics=True)
    return model.to(memory_format=torch.channels_last)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """`activations` in one cache."""

    def call(model: Transferred, batches: Batches, views: int = 2, **more: object) -> Activations:
        kept = {"augmentation": Augmentation(), "seed": 5, "cache": tmp_path / "cache"} | more
        return activations(model, batches, views=views, **kept)  # type: ignore[arg-type]

    return call


def run(
    model: Transferred, batches: object, folder: Path, recipe: Recipe = RECIPE, **more: object
) -> dict[str, Tensor]:
    """Train, and return every parameter and buffer."""
    judged: Callable[[nn.Module], Scores] = more.get("evaluate") or (lambda _: Scores(np.full(2, 0.0), 0.0))  # type: ignore[assignment]
    train(
        model,
        batches,  # type: ignore[arg-type]
        objective=CrossEntropy(0.1),
        recipe=recipe,
        seed=5,
        evaluate=judged,
        checkpoint=folder,
        progress=lambda done, total: None,
    )
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


@pytest.mark.parametrize("family", ["test_efficientnet", "test_resnet", "test_convnext", "test_vit", "test_byobnet"])
@pytest.mark.parametrize("augmentation", [Augmentation(), None], ids=["augmented", "plain"])
def test_the_same_bits_as_from_images(
    family: str, augmentation: Augmentation | None, store: Store, tmp_path: Path
) -> None:
    backbone = load_random(family, size=SIZE, seed=0)
    recipe = replace(RECIPE, augmentation=augmentation, views=2 if augmentation else 0)
    uncached, cached = model_of(backbone), model_of(backbone)
    views = store(cached, images(cached.backbone), recipe.views, augmentation=augmentation)
    expected = run(uncached, images(uncached.backbone), tmp_path / "a", recipe, evaluate=scripted())
    run(cached.above(), views, tmp_path / "b", recipe, evaluate=scripted())
    got = cached.state_dict()
    assert got.keys() == expected.keys()
    assert all(torch.equal(got[name], expected[name]) for name in expected)
    passed = model_of(backbone)
    passing = Passing(images(passed.backbone), passed.backbone.lower(passed.frozen).eval())
    by_passing = run(passed.above(), passing, tmp_path / "c", recipe, evaluate=scripted())
    assert all(torch.equal(by_passing[name], expected[name]) for name in expected)
    fresh = model_of(backbone).state_dict()
    assert not all(torch.equal(got[name], fresh[name]) for name in fresh), "it trained"


@pytest.mark.parametrize("family", ["test_efficientnet", "test_resnet", "test_convnext", "test_vit", "test_byobnet"])
def test_a_step_above_the_cut_leaves_the_activations_as_they_are(family: str) -> None:
    """Several trials read one batch: a first operation in place would spoil it for the next."""
    model = model_of(load_random(family, size=SIZE, seed=0)).train()
    batch = next(images(model.backbone).in_order())
    with torch.no_grad():
        y = model.backbone.lower(model.frozen)(batch.x)
    before = y.clone()
    model.above()(y).sum().backward()
    assert torch.equal(y, before)


@pytest.mark.slow
@pytest.mark.parametrize("size", [8, 13, 24])
def test_the_same_bits_with_a_real_network_and_threads(size: int, store: Store, tmp_path: Path) -> None:
    torch.set_num_threads(2)
    backbone = load("packaged/efficientnet_lite0", size=64)
    pixels = np.repeat(np.repeat(PIXELS, 2, 1), 2, 2)
    keys = [f"image{i}" for i in range(N)]
    batches = Batches(lambda i: pixels[i], backbone.preprocessing.tensor, np.arange(N), Y, size, keys)
    uncached, cached = model_of(backbone, frozen="blocks.4"), model_of(backbone, frozen="blocks.4")
    expected = run(uncached, batches, tmp_path / "a", evaluate=scripted())
    run(cached.above(), store(cached, batches), tmp_path / "b", evaluate=scripted())
    assert all(torch.equal(got, expected[name]) for name, got in cached.state_dict().items())


def scripted() -> Callable[[nn.Module], Scores]:
    told = iter([9.0, 3.0, 2.0, 1.0])
    return lambda _: Scores(np.full(2, next(told)), 0.0)


def test_scores_are_those_of_the_images(store: Store) -> None:
    model = model_of(load_random("test_resnet", size=SIZE, seed=0)).eval()
    expected = score(model, images(model.backbone, size=8))
    found = score(model.above(), store(model, images(model.backbone, size=8), 0))
    assert found.accuracy == expected.accuracy and found.loss == pytest.approx(expected.loss, rel=1e-5)


def test_images_without_keys_or_views_without_augmentation_are_refused(store: Store) -> None:
    model = model_of(load_random("test_resnet", size=SIZE, seed=0))
    with pytest.raises(InternalError, match="keys"):
        store(model, replace(images(model.backbone), keys=None))
    with pytest.raises(InternalError, match="augmentation"):
        store(model, images(model.backbone), augmentation=None)


def passes(model: Transferred, work: Callable[[], object]) -> int:
    """Images that went through the frozen part while `work` was done, without the pair that is looked at first."""
    counted = [0]
    first = next(m for m in model.backbone.lower(model.frozen).modules() if isinstance(m, nn.Conv2d))
    handle = first.register_forward_pre_hook(lambda _, x: counted.__setitem__(0, counted[0] + len(x[0])))
    work()
    handle.remove()
    return counted[0] - 2


def test_the_frozen_part_runs_once_a_view(store: Store, tmp_path: Path) -> None:
    model = model_of(load_random("test_resnet", size=SIZE, seed=0))
    batches = images(model.backbone)
    assert passes(model, lambda: store(model, batches)) == 2 * N
    assert passes(model, lambda: store(model, batches)) == 0
    assert passes(model, lambda: store(model, batches, 0)) == N
    assert passes(model, lambda: store(model, batches, 3)) == N, "one view more"
    assert passes(model, lambda: store(model, images(model.backbone, np.arange(5, 12)))) == 0, "a part of the images"
    assert passes(model, lambda: store(model, batches, seed=6)) == 2 * N
    views = store(model, batches)
    assert passes(model, lambda: run(model.above(), views, tmp_path / "c")) == -2, "not even once in training"


def test_another_network_or_cut_shares_nothing(store: Store) -> None:
    backbone = load_random("test_resnet", size=SIZE, seed=0)
    model = model_of(backbone)
    store(model, images(model.backbone))
    lower = model_of(backbone, frozen=backbone.cuts[0])
    assert passes(lower, lambda: store(lower, images(lower.backbone))) == 2 * N
    with torch.no_grad():
        next(model.backbone.lower(model.frozen).parameters()).add_(1e-3)
    assert passes(model, lambda: store(model, images(model.backbone))) == 2 * N


def test_what_is_above_the_cut_does_not_matter_to_the_store(store: Store) -> None:
    model = model_of(load_random("test_resnet", size=SIZE, seed=0))
    store(model, images(model.backbone))
    with torch.no_grad():
        for parameter in model.trainable():
            parameter.add_(0.1)
    assert passes(model, lambda: store(model, images(model.backbone))) == 0


def test_damage_is_computed_anew(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = model_of(load_random("test_resnet", size=SIZE, seed=0))
    monkeypatch.setitem(activations.__globals__, "SHARD_BYTES", 1)
    batches = images(model.backbone)
    expected = [batch.x for batch in store(model, batches).shuffled(1, seed=5, augmentation=Augmentation(), views=2)]
    path = sorted((tmp_path / "cache").rglob("*.shard"))[1]
    path.write_bytes(path.read_bytes()[:-2])
    assert 0 < passes(model, lambda: store(model, batches)) <= 2 * N
    again = store(model, batches).shuffled(1, seed=5, augmentation=Augmentation(), views=2)
    assert all(torch.equal(a, b.x) for a, b in zip(expected, again, strict=True))


def test_a_lone_image_gives_the_bits_that_it_gives_among_others(store: Store, tmp_path: Path) -> None:
    model = model_of(load_random("test_efficientnet", size=SIZE, seed=0))
    among = next(store(model, images(model.backbone), 0).in_order()).x[4]
    alone = store(model, images(model.backbone, np.array([4])), 0, cache=tmp_path / "other")
    assert torch.equal(next(alone.in_order()).x[0], among)


def test_only_what_is_frozen_below_a_cut_can_be_entered() -> None:
    backbone = load_random("test_resnet", size=SIZE, seed=0)
    for frozen in ("", "top"):
        model = Transferred(copy.deepcopy(backbone), nn.Linear(backbone.widths["top"], 3), frozen=frozen)
        with pytest.raises(InternalError, match="frozen below a cut"):
            model.above()
