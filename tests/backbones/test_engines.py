"""The fast engine gives the reference's features, or the reference is taken."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from headstart.backbones import Backbone, conversion, engines, graphs, open_engine
from headstart.backbones.conversion import to_graph, with_head
from headstart.backbones.engine import EagerEngine, HalfEngine
from headstart.backbones.engines import AGREEMENT, TOLERANCE, agreement, judge, relative_error
from headstart.backbones.graphs import CHUNK, SLOWER, OpenVINOEngine, compile_graph
from headstart.records.arrays import read_arrays, write_arrays

Load = Callable[[str], Backbone]
CPU = torch.device("cpu")
BRIGHT = np.linspace(0.2, 1, 5)[:, None, None, None]
PIXELS = (np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3)) * BRIGHT).astype(np.uint8)


def test_the_eager_engine_is_the_network(shared: Load) -> None:
    backbone = shared("test_efficientnet")
    got = EagerEngine(backbone, CPU)(PIXELS)
    config = backbone.preprocessing
    x = (PIXELS.astype(np.float64) / 255 - np.array(config.mean)) / np.array(config.std)
    with torch.no_grad():
        expected = backbone(torch.from_numpy(x.transpose(0, 3, 1, 2).astype(np.float32)))
    assert list(got) == list(backbone.cuts)
    for z, wanted in zip(got.values(), expected, strict=True):
        assert z.dtype == np.float32
        np.testing.assert_allclose(z, wanted.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "family",
    [
        "test_efficientnet",
        "test_resnet",
        pytest.param("resnet18", marks=pytest.mark.slow),
        pytest.param("convnext_atto", marks=pytest.mark.slow),
        pytest.param("mobilenetv3_small_050", marks=pytest.mark.slow),
    ],
)
def test_openvino_gives_the_reference_features(shared: Load, family: str, tmp_path: Path) -> None:
    backbone = shared(family)
    opened = open_engine(backbone, PIXELS, device=CPU, cache=tmp_path)
    precision = opened.engine.name.removeprefix("openvino-")
    assert precision in TOLERANCE and opened.note == ""
    reference = EagerEngine(backbone, CPU)
    for n in (1, 5):
        got, expected = opened.engine(PIXELS[:n]), reference(PIXELS[:n])
        assert list(got) == list(expected)
        for cut, z in expected.items():
            assert got[cut].shape == z.shape and got[cut].dtype == np.float32
            assert np.linalg.norm(got[cut] - z) <= TOLERANCE[precision] * np.linalg.norm(z - z.mean(0) * (n > 1)), cut


def test_float32_is_the_reference_to_rounding(shared: Load) -> None:
    backbone = shared("test_efficientnet")
    engine = OpenVINOEngine(compile_graph(to_graph(backbone, backbone.preprocessing)), backbone.cuts)
    assert engine.name == "openvino-f32"
    assert relative_error(engine(PIXELS), EagerEngine(backbone, CPU)(PIXELS)) < 1e-4


@pytest.mark.slow
def test_openvino_takes_a_transformer_within_the_gate(shared: Load) -> None:
    backbone = shared("test_vit")
    fast = OpenVINOEngine(compile_graph(to_graph(backbone, backbone.preprocessing)), backbone.cuts)
    assert relative_error(fast(PIXELS), EagerEngine(backbone, CPU)(PIXELS)) < TOLERANCE["f32"]


def test_what_was_chosen_is_kept_and_gives_the_same_bits(
    shared: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = shared("test_resnet")
    first = open_engine(backbone, PIXELS, device=CPU, cache=tmp_path).engine
    monkeypatch.setattr(graphs, "network_graph", lambda *_: pytest.fail("converted again"))
    second = open_engine(backbone, PIXELS[:1], device=CPU, cache=tmp_path).engine
    assert second.name == first.name
    got, expected = second(PIXELS), first(PIXELS)
    for cut in backbone.cuts:
        np.testing.assert_array_equal(got[cut], expected[cut])
    monkeypatch.undo()
    (path,) = (tmp_path / "engines").iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert open_engine(backbone, PIXELS, device=CPU, cache=tmp_path).engine.name.startswith("openvino")
    assert read_arrays(path) is not None


class Made:
    """Engines of both precisions: the last cut off by a share of what differs, the top's rows mixed, slow."""

    off: dict[str, float]
    seconds: dict[str, float]
    mixed: str = ""

    def __init__(self, precision: str, backbone: Backbone) -> None:
        self.name = f"openvino-{precision}"
        self.precision = precision
        self.compiled = self
        self._right = EagerEngine(backbone, CPU)

    def __call__(self, pixels: np.ndarray) -> dict[str, np.ndarray]:
        features = self._right(pixels)
        last = list(features)[-1]
        if self.precision == self.mixed:
            noise = np.random.default_rng(0).normal(size=features["top"].shape)
            features["top"] = (features["top"] + 2e-5 * noise).astype("f4")
        differing = features[last] - features[last].mean(axis=0)
        return features | {last: features[last] + self.off[self.precision] * differing}

    def export_model(self) -> Made:
        return self

    def getvalue(self) -> bytes:
        return self.precision.encode()


@pytest.fixture
def made(shared: Load, monkeypatch: pytest.MonkeyPatch) -> Backbone:
    """A backbone whose engines are `Made`, and are timed as they say."""
    backbone = shared("test_resnet")
    monkeypatch.setattr(graphs, "network_graph", lambda *_: None)
    monkeypatch.setattr(graphs, "compile_graph", lambda _, *, precision: precision)
    monkeypatch.setattr(graphs, "OpenVINOEngine", lambda precision, _: Made(precision, backbone))
    monkeypatch.setattr(graphs, "_read", lambda *_: None)
    real = graphs.run
    clock = [0.0]

    def run(engine: object, sample: np.ndarray) -> dict[str, np.ndarray]:
        if isinstance(engine, Made):
            clock[0] += engine.seconds[engine.precision]
        return real(engine, sample)  # type: ignore[arg-type]

    monkeypatch.setattr(graphs, "run", run)
    monkeypatch.setattr(graphs.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(Made, "seconds", {"bf16": 1.0, "f32": 2.0}, raising=False)
    monkeypatch.setattr(Made, "off", {"bf16": 0.02, "f32": 1e-6}, raising=False)
    return backbone


@pytest.mark.parametrize(
    ("off", "chosen"),
    [
        ({"bf16": 0.05, "f32": 1e-6}, "openvino-bf16"),
        ({"bf16": 0.3, "f32": 1e-6}, "openvino-f32"),
        ({"bf16": float("nan"), "f32": 1e-6}, "openvino-f32"),
        ({"bf16": 0.3, "f32": 0.01}, "eager-f32-cpu"),
    ],
)
def test_the_gate_believes_only_what_agrees(
    made: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, off: dict[str, float], chosen: str
) -> None:
    monkeypatch.setattr(Made, "off", off)
    opened = open_engine(made, PIXELS, device=CPU, cache=tmp_path)
    assert opened.engine.name == chosen
    refused = chosen.startswith("eager")
    assert opened.note == refused * "random/test_resnet: OpenVINO's features are off by 1.0e-02; torch runs it."


def test_an_error_is_judged_beside_what_differs_between_images() -> None:
    """A network that hardly tells images apart: an error of half a per cent is all that a head reads."""
    rng = np.random.default_rng(0)
    z = 1 + 1e-3 * rng.normal(size=(16, 8))
    off = z + 5e-3 * rng.normal(size=z.shape)
    assert relative_error({"top": off}, {"top": z}) > 1 > TOLERANCE["bf16"]
    assert relative_error({"top": z * 1e3 + off - z}, {"top": z * 1e3}) < 0.02
    assert relative_error({"top": off[:4]}, {"top": z[:4]}) < 0.01, "too few to know how they differ"
    still = np.ones((16, 8))
    assert relative_error({"top": still * (1 + 1e-7)}, {"top": still}) < TOLERANCE["f32"], "rounding is no error"
    assert relative_error({"top": 0 * still}, {"top": 0 * still}) == 0


def test_neighbours_that_differ_are_not_believed_however_small_the_error(
    made: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alike = np.full((40, 64, 64, 3), 100, np.uint8)
    alike[np.arange(40), np.arange(40)] += 1  # features that differ by less than the noise
    monkeypatch.setattr(Made, "mixed", "bf16")
    reference = EagerEngine(made, CPU)
    monkeypatch.setattr(engines, "TOLERANCE", {"bf16": np.inf, "f32": np.inf})
    assert judge(Made("bf16", made)(alike), reference(alike)).agreement < AGREEMENT
    assert open_engine(made, alike, device=CPU, cache=tmp_path).engine.name == "openvino-f32"
    monkeypatch.setattr(Made, "mixed", "f32")
    monkeypatch.setattr(engines, "TOLERANCE", {"bf16": 0.0, "f32": np.inf})
    note = open_engine(made, alike, device=CPU, cache=tmp_path).note
    assert note == "random/test_resnet: OpenVINO's nearest neighbours are others; torch runs it."


@pytest.mark.parametrize(
    ("seconds", "chosen"), [(0.5, "bf16"), (1.0, "bf16"), (0.99 * SLOWER, "bf16"), (1.01 * SLOWER, "f32"), (9, "f32")]
)
def test_the_choice_is_measured_and_noise_does_not_turn_it(
    made: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, chosen: str
) -> None:
    monkeypatch.setattr(Made, "seconds", {"bf16": seconds, "f32": 1.0})
    assert open_engine(made, PIXELS, device=CPU, cache=tmp_path).engine.name == f"openvino-{chosen}"
    (path,) = (tmp_path / "engines").iterdir()
    found = read_arrays(path)
    assert found is not None and json.loads(found[1])[0] == chosen
    assert {name: bytes(blob).decode() for name, blob in found[0].items()} == {"bf16": "bf16", "f32": "f32"}


def test_the_gate_is_passed_on_each_sample_anew(shared: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = shared("test_resnet")
    first = open_engine(backbone, PIXELS, device=CPU, cache=tmp_path).engine
    assert first.name.startswith("openvino")
    monkeypatch.setattr(engines, "TOLERANCE", dict.fromkeys(TOLERANCE, 0.0))
    opened = open_engine(backbone, PIXELS[:3], device=CPU, cache=tmp_path)
    assert opened.engine.name == "eager-f32-cpu" and "features are off by" in opened.note


def test_a_compiled_network_that_is_not_taken_is_made_anew(
    shared: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backbone = shared("test_resnet")
    open_engine(backbone, PIXELS, device=CPU, cache=tmp_path)
    (path,) = (tmp_path / "engines").iterdir()
    write_arrays(path, {"f32": np.arange(9, dtype="u1")}, about='["f32"]')
    opened = open_engine(backbone, PIXELS, device=CPU, cache=tmp_path)
    assert opened.engine.name.startswith("openvino") and opened.note == ""
    assert path.stat().st_size > 1000


def test_a_graph_takes_few_images_at_a_time_and_gives_all(shared: Load) -> None:
    backbone = shared("test_efficientnet")
    compiled = compile_graph(to_graph(backbone, backbone.preprocessing))
    many = np.concatenate([PIXELS] * 2)[: 2 * CHUNK + 1]
    got = OpenVINOEngine(compiled, backbone.cuts)(many)
    for at in range(0, len(many), CHUNK):
        part = compiled(many[at : at + CHUNK])
        for i, cut in enumerate(backbone.cuts):
            np.testing.assert_array_equal(got[cut][at : at + CHUNK], part[i])


def test_on_an_accelerator_bfloat16_is_measured_and_passes_the_gate(
    shared: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    backbone = shared("test_resnet")
    half = HalfEngine(backbone, CPU)
    assert half.name == "torch-bf16-cpu"
    got, expected = half(PIXELS), EagerEngine(backbone, CPU)(PIXELS)
    assert 0 < relative_error(got, expected) < TOLERANCE["bf16"]
    assert next(backbone.parameters()).dtype == torch.float32

    times = {"torch-bf16-cpu": 1.0, "eager-f32-cpu": 2.0}
    monkeypatch.setattr(engines, "_least_seconds", lambda engine, sample: times[engine.name])
    offered = [
        [
            engine.name
            for _, engine in engines._halved(backbone, PIXELS, EagerEngine(backbone, CPU), device=CPU, images=n)
        ]
        for n in (5, 5 * 119)
    ]
    assert offered == [["torch-bf16-cpu"], ["torch-bf16-cpu"]], "two minutes of images are not there to pay back"
    reference = EagerEngine(backbone, CPU)
    preferred = engines._halved(backbone, PIXELS, reference, device=CPU, images=5, prefer=reference.name)
    assert not list(preferred), "data that grow stay with the engine that they have features of"
    times["torch-bf16-cpu"] = 2.0 * SLOWER + 0.1
    assert not list(engines._halved(backbone, PIXELS, EagerEngine(backbone, CPU), device=CPU, images=5))


def test_blocks_are_compiled_where_many_images_pay_it_back(shared: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = shared("test_resnet")
    monkeypatch.setattr(engines, "_least_seconds", lambda engine, _: 1.0 if "bf16" in engine.name else 2.0)
    compiled: list[torch.nn.Module] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(self))
    names = [e.name for _, e in engines._halved(backbone, PIXELS, EagerEngine(backbone, CPU), device=CPU, images=605)]
    assert names == ["torch-bf16-compiled-cpu", "torch-bf16-cpu"]
    assert len(compiled) == len(backbone.cuts) - 2, "all segments but the stem; the logits are none"

    def fail(self: torch.nn.Module) -> None:
        raise RuntimeError("no compiler")

    monkeypatch.setattr(torch.nn.Module, "compile", fail)
    names = [e.name for _, e in engines._halved(backbone, PIXELS, EagerEngine(backbone, CPU), device=CPU, images=605)]
    assert names == ["torch-bf16-cpu"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_runs_what_the_reference_runs(shared: Load, tmp_path: Path) -> None:
    backbone = shared("test_resnet")
    expected = EagerEngine(backbone, CPU)(PIXELS)
    opened = open_engine(backbone, PIXELS, device=torch.device("cuda"), cache=tmp_path)
    assert opened.engine.name in ("torch-bf16-cuda", "eager-f32-cuda")
    assert relative_error(opened.engine(PIXELS), expected) < TOLERANCE["bf16"]
    backbone.to(CPU)


def test_agreement_is_of_nearest_neighbours() -> None:
    angles = np.arange(8) * 0.1
    expected = np.stack([np.cos(angles), np.sin(angles)], 1)
    assert agreement(expected, expected) == 1 == agreement(3 * expected, expected)
    swapped = expected[[7, 1, 2, 3, 4, 5, 6, 0]]  # the two ends trade places, and mislead their neighbours
    assert 0 < agreement(swapped, expected) < 1
    assert agreement(np.full_like(expected, np.nan), expected) == 0
    assert agreement(swapped[:4], expected[:4]) == 1, "too few to tell"


class ConversionFailure(Exception):
    """As openvino's own failures of conversion, which derive from `Exception` alone."""


@pytest.mark.parametrize("error", [RuntimeError, ImportError, ConversionFailure])
def test_a_refusal_is_a_note_and_not_an_end(
    shared: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise error("no such operation\nand a long trace")

    monkeypatch.setattr(graphs, "network_graph", refuse)
    opened = open_engine(shared("test_resnet"), PIXELS, device=CPU, cache=tmp_path)
    assert opened.engine.name == "eager-f32-cpu"
    assert opened.note == "random/test_resnet: OpenVINO refused it (no such operation); torch runs it."


def test_a_network_is_converted_once_as_long_as_it_is_the_same(shared: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone, again = copy.deepcopy(shared("test_resnet")), copy.deepcopy(shared("test_resnet"))
    times, real = [], conversion.to_graph
    monkeypatch.setattr(conversion, "_converted", None)
    monkeypatch.setattr(conversion, "to_graph", lambda *args: times.append(1) or real(*args))
    cuts = backbone.cuts[1:3]
    expected = EagerEngine(again, CPU)(PIXELS)
    graph = conversion.network_graph(backbone)
    # A graph shares memory with what it is made of: training must not reach one that is kept.
    with torch.no_grad():
        for parameter in backbone.parameters():
            parameter.mul_(1.5)
    for asked in (again.cuts, cuts, cuts[::-1]):
        engine = OpenVINOEngine(compile_graph(conversion.network_graph(again, asked)), asked)
        assert relative_error(engine(PIXELS), {cut: expected[cut] for cut in asked}) < 1e-3
    assert relative_error(OpenVINOEngine(compile_graph(graph), again.cuts)(PIXELS), expected) < 1e-3
    assert len(times) == 1
    trained = OpenVINOEngine(compile_graph(conversion.network_graph(backbone, cuts)), cuts)(PIXELS)
    assert len(times) == 2
    expected = EagerEngine(backbone, CPU)(PIXELS)
    assert relative_error(trained, {cut: expected[cut] for cut in cuts}) < 1e-3


@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("test_resnet", ("top",)),
        ("test_resnet", ("layer2", "top")),
        ("test_resnet", ("layer3", "layer1")),
        # Its graph does not know how wide its features are.
        ("pvt_v2_b0", ("top", "stages.1")),
    ],
)
def test_a_head_stands_on_the_features_side_by_side(shared: Load, name: str, cuts: tuple[str, ...]) -> None:
    backbone = shared(name)
    width = sum(backbone.widths[cut] for cut in cuts)
    head = torch.nn.Linear(width, 3)
    pooled = EagerEngine(backbone, CPU)(PIXELS)
    with torch.no_grad():
        expected = head(torch.from_numpy(np.concatenate([pooled[cut] for cut in cuts], 1))).numpy()
    graph = compile_graph(with_head(conversion.network_graph(backbone, cuts), head, width=width))
    assert np.allclose(graph(PIXELS)[0], expected, atol=1e-4)
    assert len(graph(PIXELS[:1])[0]) == 1


def test_the_relative_error_is_the_worst_over_the_cuts() -> None:
    expected = {"a": np.array([[3.0, 4.0]]), "b": np.array([[0.0, 2.0]])}
    assert relative_error(expected, expected) == 0
    got = {"a": np.array([[3.0, 4.5]]), "b": np.array([[0.0, 2.1]])}
    assert relative_error(got, expected) == pytest.approx(0.1)
    assert relative_error({**got, "b": np.array([[0.0, np.inf]])}, expected) == np.inf
    assert relative_error({**got, "b": np.array([[0.0, np.nan]])}, expected) == np.inf
