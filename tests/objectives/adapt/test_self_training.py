"""Mean teacher, pseudo-labels and SHOT against the formulas, image by image in numpy."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from headstart.backbones import Transferred
from headstart.data.domains import UnlabelledBatch, UnlabelledBatches
from headstart.objectives import L2SP
from headstart.objectives.adapt import SHOT, Both, MeanTeacher, PseudoLabels
from headstart.objectives.adapt.pseudo_labels import surest
from headstart.objectives.adapt.shot import nearest_centroids
from headstart.training.recipe import held_cut

Make = Callable[..., Transferred]
Numeric = Callable[..., np.ndarray]


def softmax(row: np.ndarray) -> np.ndarray:
    shares = np.exp(row - row.max())
    return np.asarray(shares / shares.sum())


class Affine(nn.Module):
    """Stand in for a model: features are what comes in, logits one layer of them."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 3).double()

    def features(self, x: Tensor) -> Tensor:
        return x

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(x)
        return logits

    def twin(self) -> Affine:
        twin = Affine()
        twin.load_state_dict(self.state_dict())
        return twin

    def moving_state(self) -> dict[str, Tensor]:
        return self.state_dict()


def images(x: Tensor, size: int = 3) -> UnlabelledBatches:
    return UnlabelledBatches(lambda i: x.numpy()[i], torch.from_numpy, np.arange(len(x)), size)


def test_the_mean_teacher_counts_the_images_it_is_sure_of(both: Callable[..., Both], numeric: Numeric) -> None:
    torch.manual_seed(0)
    model, seen = Affine(), both()
    teaching = MeanTeacher(model, confidence=0.6)  # type: ignore[arg-type]
    loss = teaching(model, seen)  # type: ignore[arg-type]
    loss.backward()
    weight, bias = (p.detach().numpy() for p in model.parameters())
    q = [softmax(weight @ z + bias) for z in seen.target.plain.numpy()]
    sure = [row.max() >= 0.6 for row in q]
    assert 0 < sum(sure) < len(q)

    def by_hand(g: np.ndarray) -> float:
        rows = [s * sum((softmax(a) - b) ** 2) / 3 for s, a, b in zip(sure, g, q, strict=True)]
        return float(sum(rows)) / len(rows)

    g_t = seen.g_t.detach().numpy().copy()
    assert loss.item() == pytest.approx(by_hand(g_t), rel=1e-9)
    assert seen.g_t.grad is not None
    np.testing.assert_allclose(seen.g_t.grad.numpy(), numeric(by_hand, g_t), atol=1e-8)
    assert all(p.grad is None and not p.requires_grad for p in teaching.parameters())


def test_the_teacher_follows_by_an_exponential_average(make: Make) -> None:
    model = make()
    teaching = MeanTeacher(model, decay=0.9)
    begin = {name: tensor.clone() for name, tensor in teaching.teacher.state_dict().items()}
    expected = {name: tensor.double().numpy() for name, tensor in begin.items()}
    for _ in range(3):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter))
        teaching.follow(model)
        for name, tensor in model.moving_state().items():
            expected[name] = 0.9 * expected[name] + 0.1 * tensor.double().numpy()
    for name, tensor in teaching.teacher.state_dict().items():
        np.testing.assert_allclose(tensor.double().numpy(), expected[name], atol=1e-5)
        assert torch.equal(tensor, begin[name]) is (name not in model.moving_state())


@pytest.mark.parametrize("held_before", [False, True])
def test_what_is_unfrozen_later_reaches_the_teacher_and_what_stays_frozen_never(make: Make, held_before: bool) -> None:
    model = make(frozen="stem")
    turns = [held_cut(model.backbone.cuts, epoch, epochs=8) for epoch in (1, 2, 3, 4)]
    assert len(set(turns)) > 2 and turns[-1] == ""
    model.hold(turns[0] if held_before else "")
    teaching = MeanTeacher(model, decay=0.9)
    begin = {name: tensor.clone() for name, tensor in teaching.teacher.state_dict().items()}
    expected = {name: tensor.double().numpy() for name, tensor in begin.items()}
    below = {id(tensor) for tensor in model.backbone.lower("stem").parameters()}
    never = {n for n, p in model.named_parameters() if id(p) in below} | {n for n, _ in model.named_buffers()}
    for cut in turns:
        model.hold(cut)
        with torch.no_grad():
            for parameter in model.trainable():
                parameter.add_(torch.randn_like(parameter))
        teaching.follow(model)
        for name, tensor in model.named_parameters():
            expected[name] = 0.9 * expected[name] + 0.1 * tensor.detach().double().numpy()
    for name, tensor in teaching.teacher.state_dict().items():
        if name in never:
            assert torch.equal(tensor, begin[name]) and torch.equal(tensor, model.state_dict()[name]), name
        else:
            assert not torch.allclose(tensor, begin[name], atol=1e-3), name
            np.testing.assert_allclose(tensor.double().numpy(), expected[name], atol=1e-5)


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_the_surest_share_of_every_class_is_taken(share: float) -> None:
    p = np.array([softmax(row) for row in np.random.default_rng(0).normal(size=(40, 5))])
    p[:, 4] = 0.01  # nobody's class
    labels = surest(torch.from_numpy(p), share).numpy()
    for c in range(5):
        own = sorted((p[i, c] for i in range(40) if p[i].argmax() == c), reverse=True)
        taken = sorted((p[i, c] for i in range(40) if labels[i] == c), reverse=True)
        assert taken == own[: math.ceil(round(share * len(own), 9))]
        assert all(p[i].argmax() == c for i in range(40) if labels[i] == c)


def test_pseudo_labels_are_learned_and_their_share_grows(both: Callable[..., Both], numeric: Numeric) -> None:
    torch.manual_seed(1)
    model, x, pseudo, seen = Affine(), torch.randn(40, 4).double(), PseudoLabels(), both()
    assert pseudo(model, seen).item() == 0.0  # type: ignore[arg-type]
    taken = []
    for _ in range(9):
        pseudo.label(model, images(x))  # type: ignore[arg-type]
        taken.append(int((pseudo.labels >= 0).sum()))
    p = model(x).softmax(1).detach()
    assert taken == [int((surest(p, min(0.5, 0.2 + 0.05 * epoch)) >= 0).sum()) for epoch in range(9)]
    assert taken[0] < taken[3] < taken[6] == taken[8]
    assert pseudo.state_dict().keys() == {"rounds"}, "labels are found anew where a training is resumed"

    pseudo.labels = torch.tensor([2, -1, 0])
    loss = pseudo(model, seen)  # type: ignore[arg-type]
    loss.backward()

    def by_hand(g: np.ndarray) -> float:
        return -float(math.log(softmax(g[0])[2]) + math.log(softmax(g[2])[0])) / 3

    g_t = seen.g_t.detach().numpy().copy()
    assert loss.item() == pytest.approx(by_hand(g_t), rel=1e-9)
    assert seen.g_t.grad is not None
    np.testing.assert_allclose(seen.g_t.grad.numpy(), numeric(by_hand, g_t), atol=1e-8)


def by_centroids(z: np.ndarray, p: np.ndarray) -> list[int]:
    """Weighted means of directions, the nearest by cosine, then plain means of those, and once more."""
    n, k = p.shape
    z = np.array([row / np.linalg.norm(row) for row in z])
    weights = p
    for _ in range(2):
        y = []
        for i in range(n):
            cosines = []
            for c in range(k):
                if weights[:, c].sum() == 0:
                    cosines.append(-math.inf)
                    continue
                centre = sum(weights[j, c] * z[j] for j in range(n)) / weights[:, c].sum()
                cosines.append(float(z[i] @ centre / np.linalg.norm(centre)))
            y.append(int(np.argmax(cosines)))
        weights = np.array([[float(label == c) for c in range(k)] for label in y])
    return y


def test_centroids_label_the_targets_images() -> None:
    rng = np.random.default_rng(0)
    for k in (2, 6):
        z, p = rng.normal(size=(30, 4)), np.array([softmax(3 * row) for row in rng.normal(size=(30, k))])
        found = nearest_centroids(torch.from_numpy(z), torch.from_numpy(p)).tolist()
        assert found == by_centroids(z, p) and len(set(found)) > 1
    # The third class is nobody's: all weights for it lie where the first one's do.
    p = np.array([[0.9, 0.0, 0.1], [0.0, 0.9, 0.1]])
    z = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert nearest_centroids(torch.from_numpy(z), torch.from_numpy(p)).tolist() == by_centroids(z, p) == [0, 1]


def test_shot(numeric: Numeric) -> None:
    torch.manual_seed(0)
    model, x = Affine(), torch.randn(7, 4).double()
    model.head.requires_grad_(False)
    shot = SHOT(beta=0.7)
    shot.at_epoch(model, images(x))  # type: ignore[arg-type]
    weight, bias = (p.detach().numpy() for p in model.parameters())
    labels = by_centroids(x.numpy(), np.array([softmax(weight @ row + bias) for row in x.numpy()]))
    assert shot.labels.tolist() == labels

    def by_hand(part: np.ndarray) -> float:
        p = [softmax(weight @ row + bias) for row in part]
        mean = sum(p) / len(p)
        sure = -sum(share * math.log(share) for row in p for share in row) / len(p)
        spread = sum(share * math.log(share) for share in mean)
        return float(
            sure + spread - 0.7 * sum(math.log(row[labels[i]]) for i, row in zip((5, 0, 2), p, strict=True)) / 3
        )

    numbers = torch.tensor([5, 0, 2])
    leaf = x[numbers].clone().requires_grad_(True)
    loss = torch.stack(list(shot(model, UnlabelledBatch(leaf, leaf, numbers), 0.0).values())).sum()  # type: ignore[arg-type]
    loss.backward()
    assert loss.item() == pytest.approx(by_hand(leaf.detach().numpy()), rel=1e-9)
    assert leaf.grad is not None
    np.testing.assert_allclose(leaf.grad.numpy(), numeric(by_hand, leaf.detach().numpy().copy()), atol=1e-7)


def test_predictions_that_are_certain_to_the_last_bit_do_no_harm() -> None:
    model, x = Affine(), torch.randn(4, 4).double().requires_grad_(True)
    with torch.no_grad():
        model.head.weight.mul_(1e6)
    losses = SHOT()(model, UnlabelledBatch(x, x, torch.arange(4)), 0.0)  # type: ignore[arg-type]
    torch.stack(list(losses.values())).sum().backward()
    assert x.grad is not None and torch.isfinite(x.grad).all()


def test_shot_can_be_held_to_the_sources_model(make: Make) -> None:
    model, x = make().eval(), torch.rand(3, 3, 32, 32)
    model.head.requires_grad_(False)
    shot = SHOT(penalties=[L2SP(model, alpha=0.5)])
    batch = UnlabelledBatch(x, x, torch.arange(3))
    assert shot(model, batch, 0.0)["l2sp"].item() == 0.0
    with torch.no_grad():
        next(model.parameters()).add_(1.0)
        model.head.weight.add_(1.0)
    moved = next(model.parameters()).numel()
    assert shot(model, batch, 0.0)["l2sp"].item() == pytest.approx(0.25 * moved, rel=1e-4)
