"""Running a model without training it: order, mode and numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from headstart.training import predict_logits, score, score_tasks


@pytest.mark.parametrize("training", [True, False])
def test_logits_come_in_order_and_the_mode_is_left_alone(toy: Any, training: bool) -> None:
    model = toy.model(frozen="blocks.0").train(training)
    modes = [module.training for module in model.modules()]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    got = predict_logits(model, toy.fit)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    whole = model.eval()(toy.backbone.preprocessing.tensor(toy.fit.read(toy.fit.indices))).detach().numpy()
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, whole, rtol=1e-4, atol=1e-5)


def test_scores_are_the_calibrated_log_loss_and_the_share_of_right_ones(toy: Any) -> None:
    model = toy.model().eval()
    logits = predict_logits(model, toy.judge).astype(np.float64)
    y = toy.judge.y

    def log_loss(temperature: float) -> float:
        p = np.exp(logits / temperature) / np.exp(logits / temperature).sum(1, keepdims=True)
        return float(-np.log(p[np.arange(len(y)), y]).mean())

    got = score(model, toy.judge)
    least = min(log_loss(t) for t in np.geomspace(1e-2, 1e3, 2000))
    assert least - 1e-9 <= got.loss <= log_loss(1.0) + 1e-9
    assert got.loss == pytest.approx(least, rel=0.02)
    assert got.accuracy == pytest.approx((logits.argmax(1) == y).mean())


def test_a_louder_head_scores_the_same(toy: Any) -> None:
    model = toy.model().eval()
    before = score(model, toy.judge)
    with torch.no_grad():
        model.head.weight.mul_(3)
        model.head.bias.mul_(3)
    assert score(model, toy.judge).loss == pytest.approx(before.loss, rel=1e-3)


def test_a_model_that_diverged_has_no_finite_loss(toy: Any) -> None:
    model = toy.model().eval()
    with torch.no_grad():
        model.head.weight.fill_(float("nan"))
    assert not np.isfinite(score(model, toy.judge).loss)


def test_of_one_task_the_scores_are_the_same(toy: Any) -> None:
    model = toy.model().eval()
    k = predict_logits(model, toy.judge).shape[1]
    got, plain = score_tasks(model, replace(toy.judge, y=toy.judge.y[:, None]), [k]), score(model, toy.judge)
    np.testing.assert_allclose(got.losses, plain.losses)
    assert got.accuracy == plain.accuracy


def test_the_mean_over_images_is_the_mean_over_tasks_of_the_labelled_ones(toy: Any) -> None:
    model = toy.model().eval()
    logits, n = predict_logits(model, toy.judge), len(toy.judge.y)
    half = logits.shape[1] // 2
    sizes = [half, logits.shape[1] - half]
    y = np.stack([toy.judge.y % half, toy.judge.y % 2], axis=1)
    y[: n // 4, 0], y[n // 2 :, 1] = -1, -1
    got = score_tasks(model, replace(toy.judge, y=y), sizes)
    alone = []
    for t, own in enumerate(np.split(logits, [half], axis=1)):
        there = y[:, t] >= 0
        least = np.inf
        for temperature in np.geomspace(1e-2, 1e3, 2000):
            scaled = own[there].astype(np.float64) / temperature
            log_p = scaled - np.log(np.exp(scaled - scaled.max(1, keepdims=True)).sum(1, keepdims=True))
            log_p -= scaled.max(1, keepdims=True)
            least = min(least, -log_p[np.arange(there.sum()), y[there, t]].mean())
        alone.append((least, (own[there].argmax(1) == y[there, t]).mean()))
    assert got.loss == pytest.approx(np.mean([loss for loss, _ in alone]), rel=0.02)
    assert got.accuracy == pytest.approx(np.mean([right for _, right in alone]))
    assert got.losses.shape == (n,)
