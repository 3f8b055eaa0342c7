"""The same checks over every way to adapt on stored features."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from headstart.shallow import adapt, head_module
from headstart.shallow.adapt import Adapted, Few, Shift
from headstart.shallow.adapt.shift import fitted
from headstart.strategies import ADAPTATIONS, Adaptation

ROWS = [row for row in ADAPTATIONS.values() if row.fitted_on == "features"]
K, D = 4, 24


def drawn(n: int, rng: np.random.Generator, *, moved: bool) -> tuple[np.ndarray, np.ndarray]:
    """Classes around means of their own; moved: turned, stretched and shifted."""
    means = np.random.default_rng(7).normal(size=(K, D)) * 1.5
    y = rng.permutation(np.arange(n) % K)
    z = means[y] + rng.normal(size=(n, D))
    turn = np.eye(D) + 0.3 * np.random.default_rng(8).normal(size=(D, D)) / np.sqrt(D)
    return (z @ turn * 1.3 + 1.0 if moved else z).astype(np.float32), y


@pytest.fixture
def shift() -> Shift:
    """Return more source than target images, few labels, and a target that is moved."""
    rng = np.random.default_rng(0)
    (z_s, y_s), held, (z_t, _) = drawn(160, rng, moved=False), drawn(50, rng, moved=False), drawn(70, rng, moved=True)
    return Shift(z_s, y_s, Few(*held), z_t, K, penalty=30.0, seed=1, few=Few(*drawn(12, rng, moved=True)))


def fit(row: Adaptation, shift: Shift) -> Adapted:
    """Return what the row makes of it."""
    assert row.on_features is not None
    return row.on_features(shift)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_ends_as_a_finite_linear_head_on_raw_features(row: Adaptation, shift: Shift) -> None:
    import torch

    found = fit(row, shift)
    arrays = found.arrays()
    assert arrays["weight"].shape == (K, D) and arrays["bias"].shape == (K,)
    assert all(np.isfinite(array).all() for array in arrays.values()) and found.temperature > 0
    z = shift.z_t[:9]
    assert np.allclose(head_module(arrays)(torch.from_numpy(z)).numpy(), found.logits(z), atol=1e-2, rtol=1e-3)
    assert np.isfinite(found.source_logits(shift.held.z)).all()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_same_seed_same_numbers_and_it_works_with_more_target_than_source(row: Adaptation, shift: Shift) -> None:
    rng = np.random.default_rng(5)
    z_t, y_t = drawn(230, rng, moved=True)
    other = replace(shift, z_t=z_t)
    one, two = fit(row, other), fit(row, replace(other))
    assert np.array_equal(one.arrays()["weight"], two.arrays()["weight"])
    right = (one.logits(z_t).argmax(1) == y_t).mean()
    assert right > 1.6 / K  # far from blind, whatever the method


@pytest.mark.parametrize("row", [row for row in ROWS if not row.reads_few], ids=lambda row: row.name)
def test_a_row_that_does_not_ask_for_labels_never_sees_them(row: Adaptation, shift: Shift) -> None:
    with_few, without = fit(row, shift), fit(row, replace(shift, few=None))
    assert np.array_equal(with_few.arrays()["weight"], without.arrays()["weight"])


def test_equal_weights_and_the_identity_are_the_source_s_own_head(shift: Shift) -> None:
    plain = adapt.source_only(shift)
    same = fitted(shift, weights=np.ones(len(shift.y_s)))
    assert np.allclose(plain.arrays()["weight"], same.arrays()["weight"], atol=1e-6)


def test_a_domain_is_not_moved_onto_itself(shift: Shift) -> None:
    same = replace(shift, z_t=shift.z_s.copy())
    plain = adapt.source_only(same).arrays()["weight"]
    assert np.allclose(adapt.coral(same).arrays()["weight"], plain, atol=1e-4)


def test_alignment_repairs_a_change_of_scale_and_place(shift: Shift) -> None:
    rng = np.random.default_rng(3)
    z, y = drawn(200, rng, moved=False)
    moved = (z * 0.4 + 3.0).astype(np.float32)
    shifted = replace(shift, z_t=moved)
    before = (adapt.source_only(shifted).logits(moved).argmax(1) == y).mean()
    assert before < 0.7
    for method in (adapt.coral, adapt.subspace_alignment, adapt.optimal_transport):
        assert (method(shifted).logits(moved).argmax(1) == y).mean() > before + 0.2, method.__name__


def test_few_labels_left_out_are_not_seen(shift: Shift) -> None:
    less = shift.without(np.array([0, 5]))
    assert less.few is not None and len(less.few.y) == 10 and less.few.y[0] == shift.few.y[1]  # type: ignore[union-attr]


def test_transport_without_pot_names_the_extra(shift: Shift, monkeypatch: pytest.MonkeyPatch) -> None:
    from headstart.errors import MissingExtraError
    from headstart.shallow.adapt import transport

    monkeypatch.setattr(transport, "pot_at_hand", lambda: False)
    with pytest.raises(MissingExtraError, match="not installed") as refused:
        adapt.optimal_transport(shift)
    assert "headstart[adapt]" in refused.value.remedy
