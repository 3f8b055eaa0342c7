"""The same checks over every row of the table of heads."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from scipy.stats import binom
from sklearn.base import clone

from headstart.errors import DataError, InternalError
from headstart.shallow import HEADS, HeadRow, arrays, head_module, linear_start
from headstart.shallow.probing import _probe

rows = pytest.mark.parametrize("row", HEADS.values(), ids=HEADS.keys())
shapes = pytest.mark.parametrize(("n", "d", "k"), [(120, 12, 2), (120, 12, 4), (90, 300, 3)])


def blobs(n: int, d: int, k: int, *, seed: int = 0, apart: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n) % k)
    centres = rng.normal(size=(k, d)) * apart
    return (np.maximum(centres[y] + rng.normal(size=(n, d)), 0) * rng.uniform(0.1, 3, d)).astype(np.float32), y


@rows
@shapes
def test_outputs_are_finite_shaped_and_deterministic(row: HeadRow, n: int, d: int, k: int) -> None:
    z, y = blobs(n, d, k)
    for penalty in row.penalties:
        head = row.make(penalty).fit(z, y)
        logits, probabilities = head.decision_function(z), head.predict_proba(z)
        assert logits.shape == probabilities.shape == (n, k)
        assert np.isfinite(logits).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-9)
        assert (head.predict(z) == head.classes_[probabilities.argmax(axis=1)]).all()
        again = clone(head).fit(z, y)
        assert (again.decision_function(z) == logits).all()


@rows
def test_learns_what_is_there(row: HeadRow) -> None:
    z, y = blobs(300, 20, 4)
    assert row.make().fit(z[:200], y[:200]).score(z[200:], y[200:]) > 0.85


@rows
@shapes
def test_the_module_made_from_disk_is_the_head(row: HeadRow, n: int, d: int, k: int, tmp_path: Path) -> None:
    z, y = blobs(n, d, k)
    fresh, _ = blobs(40, d, k, seed=1)
    head = row.make(row.penalties[0]).set_params(temperature=0.7).fit(z, y)
    save_file(arrays(head), tmp_path / "head.safetensors")
    module = head_module(load_file(tmp_path / "head.safetensors"))
    with torch.no_grad():
        got = torch.softmax(module(torch.from_numpy(fresh)), dim=1).numpy()
    np.testing.assert_allclose(got, head.predict_proba(fresh), atol=1e-5)
    assert not list(module.parameters())


@rows
def test_the_module_converts(row: HeadRow) -> None:
    openvino = pytest.importorskip("openvino")
    z, y = blobs(60, 8, 3)
    head = row.make().fit(z, y)
    model = openvino.convert_model(head_module(arrays(head)).eval(), example_input=torch.from_numpy(z[:2]))
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for rows in (z[:5], z[:1]):
        logits = torch.from_numpy(compiled(rows)[0])
        np.testing.assert_allclose(torch.softmax(logits, dim=1).numpy(), head.predict_proba(rows), atol=1e-5)


@rows
def test_labels_may_be_anything_but_are_numbers_on_disk(row: HeadRow) -> None:
    z, y = blobs(60, 8, 3)
    named = row.make().fit(z, np.array(["ant", "bee", "cat"])[y])
    assert set(named.predict(z)) <= {"ant", "bee", "cat"}
    with pytest.raises(InternalError, match="cannot be kept"):
        arrays(named)
    with pytest.raises(InternalError, match="cannot be kept"):
        arrays(row.make().fit(z, y * 2))


@rows
def test_shuffled_labels_are_not_learnt(row: HeadRow) -> None:
    z, y = blobs(240, 20, 4)
    y = np.random.default_rng(1).permutation(y)
    folds = [(np.flatnonzero(np.arange(240) % 4 != f), np.flatnonzero(np.arange(240) % 4 == f)) for f in range(4)]
    single = HeadRow(row.name, row.summary, row.estimator, row.knob, row.penalties[:1], None, row.kind)
    right = (_probe(("top",), single, {"top": z}, y, folds, "accuracy", None).predicted == y).sum()
    assert binom.ppf(0.0005, 240, 0.25) <= right <= binom.ppf(0.9995, 240, 0.25)


@rows
def test_errors_are_told_at_once(row: HeadRow) -> None:
    z, y = blobs(20, 5, 2)
    with pytest.raises(DataError, match="all 20 images"):
        row.make().fit(z, np.zeros(20, dtype=int))
    with pytest.raises(ValueError, match="NaN"):
        row.make().fit(np.full_like(z, np.nan), y)
    with pytest.raises(ValueError, match="features"):
        row.make().fit(z, y).predict(z[:, :3])


@rows
def test_one_image_a_class_and_features_that_do_not_vary(row: HeadRow) -> None:
    z = np.eye(4, 6, dtype=np.float32)
    head = row.make().fit(z, np.arange(4))
    assert np.isfinite(head.predict_proba(z)).all()
    assert np.isfinite(row.make().fit(np.zeros((6, 3)), [0, 1, 0, 1, 0, 1]).predict_proba(np.zeros((2, 3)))).all()


@rows
def test_a_network_starts_where_the_linear_head_ends(row: HeadRow) -> None:
    z, y = blobs(60, 8, 3)
    head = row.make().set_params(temperature=2.0).fit(z, y)
    if row.kind == "neighbours":
        with pytest.raises(InternalError):
            linear_start(arrays(head))
        return
    layer = torch.nn.Linear(8, 3)
    with torch.no_grad():
        for parameter, start in zip(layer.parameters(), linear_start(arrays(head)), strict=True):
            parameter.copy_(start)
        got = torch.softmax(layer(torch.from_numpy(z)), dim=1)
    np.testing.assert_allclose(got.numpy(), head.predict_proba(z), atol=1e-5)
