"""Features are computed once an image, kept, and computed again only where something changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from headstart.backbones import Backbone, Opened, engines, graphs, load_random
from headstart.backbones.engine import EagerEngine
from headstart.data import Survey, survey
from headstart.features import Features, extract
from headstart.problem import Domain

CPU = torch.device("cpu")
SIZE = 32
Extract = Callable[..., Features]


class Counted:
    """The reference under the fast engine's name; keeps the sizes of the batches that it ran."""

    name = "openvino-f32"

    def __init__(self, backbone: Backbone) -> None:
        self._reference = EagerEngine(backbone, CPU)
        self.batches: list[int] = []

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        self.batches.append(len(pixels))
        return self._reference(pixels)


@pytest.fixture
def backbone() -> Iterator[Backbone]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield load_random("test_efficientnet", size=SIZE, seed=0)
    torch.set_num_threads(threads)


@pytest.fixture
def images(tmp_path: Path) -> Survey:
    pixels = np.random.default_rng(0).integers(0, 256, (70, SIZE, SIZE, 3), dtype=np.uint8)
    pixels[69] = pixels[3]  # the same image twice
    return survey(Domain("noise", pixels), SIZE, cache=tmp_path / "pixels")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Counted]:
    """Every engine that `extract` opened, in order."""
    made: list[Counted] = []

    def open_counted(backbone: Backbone, sample: np.ndarray, **_: object) -> Opened:
        made.append(Counted(backbone))
        return Opened(made[-1], "")

    monkeypatch.setitem(extract.__globals__, "open_engine", open_counted)
    return made


@pytest.fixture
def run(images: Survey, tmp_path: Path) -> Extract:
    def call(backbone: Backbone, indices: object, progress: Callable[[str, int, int], None] | None = None) -> Features:
        quiet = progress or (lambda stage, done, total: None)
        return extract(backbone, images, np.asarray(indices), cache=tmp_path / "cache", device=CPU, progress=quiet)

    return call


def shards(folder: Path) -> list[Path]:
    return sorted((folder / "cache" / "features").rglob("*.shard"))


def test_features_are_the_networks_own_at_every_cut(
    backbone: Backbone, images: Survey, run: Extract, opened: list[Counted]
) -> None:
    indices = np.array([5, 2, 60, 3])
    features = run(backbone, indices)
    with torch.no_grad():
        expected = backbone(backbone.preprocessing.tensor(images.pixels(indices)))
    assert (*features.cuts, "logits") == backbone.cuts and features.computed == 4 and features.note == ""
    assert features.engine == "openvino-f32"
    for cut, z in zip(features.cuts, expected[:-1], strict=True):
        got = features.at(cut)
        assert got.dtype == np.float32 and got.shape == (4, backbone.widths[cut])
        np.testing.assert_array_equal(got, z.numpy())
        np.testing.assert_array_equal(features.at(cut, np.array([3, 0])), z.numpy()[[3, 0]])


def test_every_image_is_run_once_and_the_second_time_none(
    backbone: Backbone, run: Extract, opened: list[Counted]
) -> None:
    seen: list[tuple[str, int, int]] = []
    first = run(backbone, range(70), lambda *report: seen.append(report))
    assert opened[0].batches == [32, 32, 5], "image 69 is image 3"
    assert first.computed == 69 and seen[-1] == ("features of random/test_efficientnet", 69, 69)
    second = run(backbone, range(70))
    assert len(opened) == 1 and second.computed == 0 and second.engine == "openvino-f32"
    np.testing.assert_array_equal(first.at("top"), second.at("top"))
    np.testing.assert_array_equal(second.at("top")[69], second.at("top")[3])


def test_data_that_grow_stay_with_the_engine_that_ran_them(
    backbone: Backbone, run: Extract, opened: list[Counted], monkeypatch: pytest.MonkeyPatch
) -> None:
    preferred: list[str] = []
    counted = extract.__globals__["open_engine"]

    def open_engine(*args: object, prefer: str = "", **more: object) -> Opened:
        preferred.append(prefer)
        return counted(*args, **more)  # type: ignore[no-any-return]

    monkeypatch.setitem(extract.__globals__, "open_engine", open_engine)
    run(backbone, range(20))
    run(backbone, range(25))
    assert preferred == ["", "openvino-f32"]


def test_only_new_images_are_run(backbone: Backbone, run: Extract, opened: list[Counted]) -> None:
    before = run(backbone, range(20)).at("top")
    after = run(backbone, [*range(10, 25), 0])
    assert [engine.batches for engine in opened] == [[20], [5]]
    assert after.computed == 5
    np.testing.assert_array_equal(after.at("top")[:10], before[10:])
    np.testing.assert_array_equal(after.at("top")[-1], before[0])


def test_a_changed_weight_is_another_network(
    backbone: Backbone, run: Extract, opened: list[Counted], tmp_path: Path
) -> None:
    before = run(backbone, range(6)).at("top")
    with torch.no_grad():
        next(backbone.network.parameters()).add_(0.5)
    changed = run(backbone, range(6))
    assert changed.computed == 6 and not np.allclose(changed.at("top"), before)
    assert len({path.parent for path in shards(tmp_path)}) == 2 * len(changed.cuts)


def test_the_same_network_with_another_head_computes_nothing(
    backbone: Backbone, run: Extract, opened: list[Counted]
) -> None:
    before = run(backbone, range(4))
    with torch.no_grad():
        backbone.network.get_classifier().weight.add_(1.0)
    other_head = run(backbone, range(4))
    backbone.cut_off_top()
    cut_off = run(backbone, range(4))
    assert len(opened) == 1 and other_head.computed == 0 == cut_off.computed
    np.testing.assert_array_equal(cut_off.at("top"), before.at("top"))


def test_a_fine_tuned_copy_shares_the_features_below_its_cut(
    backbone: Backbone, run: Extract, opened: list[Counted], tmp_path: Path
) -> None:
    before = run(backbone, range(4))
    frozen = backbone.cuts.index("blocks.2") + 1
    with torch.no_grad():
        for parameter in backbone.upper("blocks.2").parameters():
            parameter.add_(0.01)
    after = run(backbone, range(6))
    for place, cut in enumerate(after.cuts):
        shared = place < frozen
        assert (after.stores[cut].folder == before.stores[cut].folder) == shared
        assert [len(after.stores[cut].missing([key])) for key in after.ids] == [0] * 6
        assert len(list(after.stores[cut].folder.iterdir())) == (2 if shared else 1), "of the first four, nothing twice"
        if shared:
            np.testing.assert_array_equal(after.at(cut)[:4], before.at(cut))
    assert not np.allclose(after.at("top")[:4], before.at("top"))


@pytest.mark.parametrize("harm", ["cut off", "altered", "emptied"])
def test_a_damaged_shard_is_computed_anew_and_noted(
    backbone: Backbone, run: Extract, opened: list[Counted], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, harm: str
) -> None:
    monkeypatch.setitem(extract.__globals__, "SHARD", 4)
    expected = run(backbone, range(10)).at("top")
    of_top = [path for path in shards(tmp_path) if "-top-" in path.parent.name]
    assert len(of_top) == 3
    path = of_top[1]
    whole = path.read_bytes()
    path.write_bytes({"cut off": whole[:-9], "altered": whole[:-1] + bytes([whole[-1] ^ 1]), "emptied": b""}[harm])

    repaired = run(backbone, range(10))

    assert repaired.computed in (2, 4) and sum(opened[1].batches) == repaired.computed
    assert "damaged" in repaired.note and "computed anew" in repaired.note
    np.testing.assert_array_equal(repaired.at("top"), expected)
    again = run(backbone, range(10))
    assert again.computed == 0 and again.note == ""


def test_an_interrupted_pass_keeps_its_finished_shards(
    backbone: Backbone, run: Extract, opened: list[Counted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(extract.__globals__, "SHARD", 8)

    def interrupt(stage: str, done: int, total: int) -> None:
        if done > 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(backbone, range(30), interrupt)
    resumed = run(backbone, range(30))
    assert resumed.computed == 14 and opened[1].batches == [8, 6]
    assert resumed.at("top").shape == (30, backbone.widths["top"])


def test_the_real_engine_gives_what_the_reference_gives(backbone: Backbone, images: Survey, run: Extract) -> None:
    features = run(backbone, range(40))
    tolerance = engines.TOLERANCE[features.engine.removeprefix("openvino-")]
    expected = EagerEngine(backbone, CPU)(images.pixels(np.arange(40)))
    for cut in features.cuts:
        z = expected[cut]
        assert np.linalg.norm(features.at(cut) - z) < tolerance * np.linalg.norm(z), cut


def test_a_refused_engine_is_noted_and_its_features_are_found_again(
    backbone: Backbone, run: Extract, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("not today")

    monkeypatch.setattr(graphs, "network_graph", refuse)
    first = run(backbone, range(5))
    assert first.engine == "eager-f32-cpu" and "OpenVINO refused it (not today)" in first.note
    second = run(backbone, range(5))
    assert second.engine == "eager-f32-cpu" and second.computed == 0


def test_no_images_no_work(backbone: Backbone, run: Extract, opened: list[Counted]) -> None:
    assert run(backbone, np.array([], dtype=int)).computed == 0 and not opened
