"""A bundle that was cut off or edited says so, by the name of the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import headstart
from headstart.bundle import Predictor, read_config
from headstart.bundle.save import rebuild
from headstart.errors import BundleError

FILES = ("graph.bin", "graph.xml", "model.safetensors")


def flip(path: Path, at: int) -> None:
    blob = bytearray(path.read_bytes())
    blob[at] ^= 1
    path.write_bytes(bytes(blob))


def refused(folder: Path, name: str) -> BundleError:
    with pytest.raises(BundleError) as caught:
        headstart.load(folder)
    assert name in caught.value.fact
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_was_cut_off(bundle: Path, name: str) -> None:
    blob = (bundle / name).read_bytes()
    (bundle / name).write_bytes(blob[:-100])
    assert str(len(blob)) in refused(bundle, name).fact


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_one_flipped_bit(bundle: Path, name: str, share: float) -> None:
    size = (bundle / name).stat().st_size
    flip(bundle / name, min(size - 1, int(share * size)))
    assert "altered" in refused(bundle, name).fact


@pytest.mark.parametrize("name", [*FILES, "config.json"])
def test_a_missing_file(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    assert "missing" in refused(bundle, name).fact


def test_an_edited_configuration(bundle: Path) -> None:
    config = json.loads((bundle / "config.json").read_text())
    config["classes"].reverse()
    (bundle / "config.json").write_text(json.dumps(config))
    assert "altered" in refused(bundle, "config.json").fact


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.9])
def test_any_flipped_bit_of_the_configuration(bundle: Path, share: float) -> None:
    path = bundle / "config.json"
    flip(path, int(share * path.stat().st_size))
    refused(bundle, "config.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"format": 1}', '{"format": "headstart-bundle/1"}'])
def test_a_configuration_that_is_none(bundle: Path, text: str) -> None:
    (bundle / "config.json").write_text(text)
    refused(bundle, "config.json")


def test_a_configuration_of_bytes(bundle: Path) -> None:
    (bundle / "config.json").write_bytes(b"\xff\xfe\x00")
    refused(bundle, "config.json")


def test_a_later_format_is_named(bundle: Path) -> None:
    (bundle / "config.json").write_text('{"format": "headstart-bundle/9"}')
    assert "headstart-bundle/9" in refused(bundle, "config.json").fact


def test_rebuilding_checks_too(bundle: Path) -> None:
    flip(bundle / "model.safetensors", -1)
    with pytest.raises(BundleError, match=r"model\.safetensors"):
        rebuild(bundle)


def test_no_folder_at_all(tmp_path: Path) -> None:
    refused(tmp_path / "nothing", "nothing")
    (tmp_path / "file").touch()
    refused(tmp_path / "file", "file")


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    assert "fit" in refused(tmp_path, "config.json").remedy


def test_an_unfinished_run_is_to_be_continued(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").touch()
    error = refused(tmp_path, "finished")
    assert "Repeat" in error.remedy


def test_a_bundle_may_be_moved(bundle: Path, tmp_path: Path) -> None:
    shutil.move(bundle, tmp_path / "ein anderer Ort")
    assert read_config(tmp_path / "ein anderer Ort")["classes"]
    Predictor(tmp_path / "ein anderer Ort")
