"""Frames in order, their gaps, and the camera's poses beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from headstart.errors import DataError
from headstart.problem import read_poses, read_sequences, sequences_of_arrays


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


def test_frames_go_by_number_and_not_by_name(tmp_path: Path) -> None:
    frames = read_sequences(touch(tmp_path / "walk", "f_10.png", "f_9.png", "f_8.png", "notes.txt"))
    assert [frames.x.label_of(i) for i in range(3)] == ["f_8.png", "f_9.png", "f_10.png"]
    assert frames.time.tolist() == [0, 1, 2]
    assert frames.windows(2).tolist() == [[0, 1], [1, 2]]


def test_no_window_reaches_across_a_gap_or_a_sequence(tmp_path: Path) -> None:
    """Frames every 5: a missing one is a gap of two steps."""
    touch(tmp_path, *(f"a/{n}.png" for n in (0, 5, 10, 20, 25)), *(f"b/{n}.png" for n in (1, 2, 3)))
    frames = read_sequences(tmp_path)
    assert frames.names == ("a", "b")
    assert frames.time.tolist() == [0, 1, 2, 4, 5, 0, 1, 2]
    assert frames.windows(2).tolist() == [[0, 1], [1, 2], [3, 4], [5, 6], [6, 7]]
    assert frames.windows(3).tolist() == [[0, 1, 2], [5, 6, 7]]
    assert frames.windows(2, usable=np.arange(8) != 1).tolist() == [[3, 4], [5, 6], [6, 7]]
    assert any("a has a gap after 10.png" in note for note in frames.notes)


def test_a_sequence_too_short_to_learn_from_is_named(tmp_path: Path) -> None:
    frames = read_sequences(touch(tmp_path, "a/1.png", *(f"b/{n}.png" for n in range(5))))
    assert any(note.startswith("a has 1 frame:") for note in frames.notes)


def test_names_without_numbers_go_by_name_and_it_is_said(tmp_path: Path) -> None:
    frames = read_sequences(touch(tmp_path, "a.png", "b.png", "c.png"))
    assert frames.time.tolist() == [0, 1, 2]
    assert "has no number in its name" in frames.notes[0]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("f1.png", "f01.png", "f2.png"), "have the same number"),
        (("f1.png", "f2.png"), "has 2 frame"),
        (("note.txt",), "no frames"),
        (("f1.png", "f99999999999999999999.png", "f2.png"), "too far apart"),
    ],
)
def test_what_cannot_be_ordered_is_refused(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_sequences(touch(tmp_path, *names))


def test_arrays_are_sequences_too() -> None:
    frames = sequences_of_arrays([np.zeros((3, 4, 4, 3), "u1"), np.zeros((4, 4, 4, 3), "u1")])
    assert frames.sequence.tolist() == [0, 0, 0, 1, 1, 1, 1]
    with pytest.raises(DataError, match="different shapes"):
        sequences_of_arrays([np.zeros((3, 4, 4, 3), "u1"), np.zeros((3, 5, 5, 3), "u1")])


@pytest.fixture
def walk(tmp_path: Path) -> Path:
    return touch(tmp_path / "walk", "0.png", "1.png", "2.png")


def table(walk: Path, text: str) -> Path:
    path = walk.parent / "poses.csv"
    path.write_text(text)
    return path


def test_motion_is_seen_from_the_first_frame(walk: Path) -> None:
    """Looking north (90 degrees), a step north is forward, one west is to the left; 350 to 10 degrees is 20."""
    frames = read_sequences(walk)
    poses = read_poses(table(walk, "frame,x,y,yaw\n2.png,-1,2,10\n0.png,0,0,90\n1.png,0,2,350\n"), frames)
    motions = poses.between(frames.windows(2))
    assert motions.axes == ("forward", "sideways", "yaw")
    np.testing.assert_allclose(motions.values[0], [2, 0, -100], atol=1e-9)
    yaw = np.radians(350)
    np.testing.assert_allclose(motions.values[1], [-np.cos(yaw), np.sin(yaw), 20], atol=1e-9)


def test_an_action_is_the_one_beside_the_first_frame(walk: Path) -> None:
    frames = read_sequences(walk)
    poses = read_poses(table(walk, "frame,action\n0.png,left\n1.png,ahead\n2.png,left\n9.png,left\n"), frames)
    motions = poses.between(frames.windows(2))
    assert [motions.actions[int(i)] for i in motions.values[:, 0]] == ["left", "ahead"]
    assert "1 row(s)" in poses.notes[0]


def test_of_poses_and_actions_the_poses_are_used_and_it_is_said(walk: Path) -> None:
    frames = read_sequences(walk)
    poses = read_poses(table(walk, "frame,x,action\n0.png,0,left\n1.png,4,ahead\n2.png,4,left\n"), frames)
    assert poses.between(frames.windows(2)).axes == ("forward", "sideways")
    assert poses.notes == ("poses.csv has poses and actions: the poses (x) are used, and the actions are not.",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("frame,x\n0.png,1\n1.png,2\n", "no row for 2.png; 1 of 3"),
        ("frame,x\n0.png,1\n1.png,2\n2.png,far\n", "line 4: 'far' is no number"),
        ("frame,x\n0.png,1\n1.png,2\n2.png,nan\n", "no number"),
        ("frame,x\n0.png,1\n0.png,2\n2.png,3\n", "two rows for 0.png, lines 2 and 3"),
        ("name,x\n0.png,1\n", "has the columns name, x"),
        ("frame\n0.png\n", "has the columns frame"),
        ("", "has the columns"),
        ("frame,action\n0.png,left\n1.png\n2.png,left\n", "line 3, names no action"),
    ],
)
def test_poses_that_do_not_match_are_named(walk: Path, text: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_poses(table(walk, text), read_sequences(walk))


def test_a_table_that_is_none_is_named(walk: Path) -> None:
    path = walk.parent / "poses.xlsx"
    path.write_bytes(b"PK\x03\x04\xff\xfe\x00binary")
    with pytest.raises(DataError, match="is no CSV table"):
        read_poses(path, read_sequences(walk))


def test_frames_of_a_video_go_by_number(tmp_path: Path) -> None:
    frames = sequences_of_arrays([np.zeros((3, 4, 4, 3), "u1")])
    (tmp_path / "poses.csv").write_text("frame,x\n0,5\n2,9\n1,6\n")
    assert read_poses(tmp_path / "poses.csv", frames).columns["x"].tolist() == [5, 6, 9]


def test_rows_by_number_that_are_left_over_may_belong_to_a_sequence_that_lost_frames(tmp_path: Path) -> None:
    frames = sequences_of_arrays([np.zeros((n, 4, 4, 3), np.uint8) for n in (3, 2)])
    path = tmp_path / "poses.csv"
    path.write_text("frame,x\n" + "".join(f"{i},{i}\n" for i in range(5)))
    assert read_poses(path, frames).columns["x"].tolist() == [0, 1, 2, 3, 4]
    path.write_text("frame,x\n" + "".join(f"{i},{i}\n" for i in range(6)))
    with pytest.raises(DataError, match=r"1 row\(s\) more than there are frames in 2 sequences"):
        read_poses(path, frames)
    # One sequence alone can only lack frames at its end.
    assert len(read_poses(path, sequences_of_arrays([np.zeros((5, 4, 4, 3), np.uint8)])).columns["x"]) == 5
