"""Every image is read once, broken ones are named, and a second look decodes nothing."""

import sys

import numpy as np
import pytest
from PIL import Image

from headstart.data import decode as decoding
from headstart.data import find_duplicates, survey
from headstart.data.decode import array_to_square, read_rgb, to_square
from headstart.problem import Domain, labelled_arrays

# In the package the function stands before the module of its name.
SURVEY = sys.modules["headstart.data.survey"]


@pytest.fixture
def files(tmp_path):
    """12 pictures of noise, and among them (at 3, 7, 9) a text, a cut file and an empty one."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "images"
    folder.mkdir()
    for i in range(12):
        path = folder / f"{i:02}.png"
        Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3), dtype="u1")).save(path)
    (folder / "03.png").write_text("no picture")
    (folder / "07.png").write_bytes((folder / "07.png").read_bytes()[:500])
    (folder / "09.png").write_bytes(b"")
    return Domain("images", tuple(sorted(folder.iterdir())), root=folder)


def test_pixels_sizes_and_broken_images(files, tmp_path):
    seen = []
    found = survey(files, 16, cache=tmp_path / "cache", progress=lambda *report: seen.append(report))
    assert [i for i, _ in found.broken] == [3, 7, 9] and [found.ids[i] for i in (3, 7, 9)] == ["", "", ""]
    assert [reason for _, reason in found.broken][2] == "an empty file"
    assert found.sizes[5].tolist() == [30, 25] and found.sizes[3].tolist() == [0, 0]
    assert len(found.ids[0]) == 32 and len(set(found.ids)) == 10
    squares = found.pixels(np.array([5, 0, 5]))
    assert np.array_equal(squares[0], to_square(read_rgb(files.images[5]), 16)) and squares.shape == (3, 16, 16, 3)
    assert seen[-1] == ("reading images", 12, 12) and len(seen) == 12
    assert found.pixels([]).shape == (0, 16, 16, 3)


def test_a_second_look_decodes_nothing_and_gives_the_same(files, tmp_path, monkeypatch):
    first = survey(files, 16, cache=tmp_path / "cache")
    monkeypatch.setattr(decoding.Image.Image, "resize", lambda *_, **__: pytest.fail("decoded again"))
    second = survey(files, 16, cache=tmp_path / "cache")
    assert second.ids == first.ids and second.broken == first.broken
    for name in ("sizes", "hashes", "thumbs", "digests"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


def test_a_damaged_store_is_made_anew(files, tmp_path):
    first = survey(files, 16, cache=tmp_path / "cache")
    expected = first.pixels([0, 1])
    (shard,) = first.store.folder.iterdir()
    shard.write_bytes(shard.read_bytes()[:-1])
    assert np.array_equal(survey(files, 16, cache=tmp_path / "cache").pixels([0, 1]), expected)


def test_many_blocks_hold_the_same_as_one(files, tmp_path, monkeypatch):
    one = survey(files, 16, cache=tmp_path / "one")
    monkeypatch.setattr(SURVEY, "_BLOCK_ROWS", 2)
    many = survey(files, 16, cache=tmp_path / "many")
    assert len(list(many.store.folder.iterdir())) == 5
    whole = [i for i, key in enumerate(one.ids) if key]
    assert np.array_equal(one.pixels(whole), many.pixels(whole)) and np.array_equal(one.thumbs, many.thumbs)


def test_a_lower_cap_holds_for_what_the_store_knows(files, tmp_path):
    survey(files, 16, cache=tmp_path / "cache")
    fresh = survey(files, 16, cache=tmp_path / "fresh", max_pixels=30 * 25)
    known = survey(files, 16, cache=tmp_path / "cache", max_pixels=30 * 25)
    assert [i for i, _ in known.broken] == [3, 6, 7, 8, 9, 10, 11]
    assert fresh.ids == known.ids and dict(fresh.broken)[6] == dict(known.broken)[6]
    assert np.array_equal(fresh.sizes, known.sizes)


def test_an_interrupt_stops_and_keeps_what_was_written(files, tmp_path, monkeypatch):
    monkeypatch.setattr(SURVEY, "_BLOCK_ROWS", 2)

    def interrupt(stage, done, total):
        if done == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        survey(files, 16, cache=tmp_path / "cache", progress=interrupt)
    again = survey(files, 16, cache=tmp_path / "cache")
    assert len(again.broken) == 3


def test_arrays(tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (5, 8, 9), dtype="u1")
    data = labelled_arrays(images, [0, 1, 0, 1, 0])
    found = survey(data.x, 12, cache=tmp_path)
    assert found.sizes.tolist() == [[9, 8]] * 5 and not found.broken
    assert np.array_equal(found.pixels([4])[0], array_to_square(images[4], 12))
    turned = survey(Domain("t", images.reshape(5, 9, 8)), 12, cache=tmp_path)
    assert not set(turned.ids) & set(found.ids)


def test_fingerprint_tells_data_labels_and_order_apart(files, tmp_path):
    found = survey(files, 16, cache=tmp_path / "cache")
    y = np.arange(12) % 2
    other = survey(files.subset(np.arange(12)[::-1]), 16, cache=tmp_path / "cache")
    assert found.fingerprint(y) == found.fingerprint(y.astype("i4"))
    assert len({found.fingerprint(y), found.fingerprint(1 - y), other.fingerprint(y[::-1])}) == 3


def test_nothing_to_survey(tmp_path):
    found = survey(Domain("none", ()), 16, cache=tmp_path)
    assert len(found) == 0 and len(find_duplicates(found).groups) == 0
