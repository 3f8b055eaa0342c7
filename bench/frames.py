#!/usr/bin/env python3
"""Frames whose camera is known, from a real renderer: walks through the maze of ViZDoom's `my_way_home` scenario.

python bench/frames.py [FOLDER]

FOLDER (by default ~/.cache/headstart-cases/maze) gets `walks/<n>/<frame>.png` with `poses.csv` (frame, x, y, yaw and
the action), and `places.csv` (path, label, group) with frames of other walks, labelled by the room that they were
taken in. Needs vizdoom, which brings its own game data and renders without a screen.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WALKS, FRAMES = 12, 300
"""Walks to learn from, and frames of each."""
OTHERS, EVERY, FEWEST = 16, 5, 30
"""Other walks, of which every fifth frame is labelled; rooms with fewer frames than 30 are left out."""
SIZE, TICS = 64, 4
ACTIONS = {"left": [1, 0, 0], "right": [0, 1, 0], "ahead": [0, 0, 1]}
SHARES = (0.25, 0.25, 0.5)


def main(folder: Path) -> int:
    """Record all walks."""
    game = _game()
    poses = [("frame", "x", "y", "yaw", "action")]
    for number in range(WALKS):
        for i, (picture, pose, action, _) in enumerate(_walk(game, seed=number)):
            name = f"{number}/{i}.png"
            _save(picture, folder / "walks" / name)
            poses.append((name, *(f"{value:.3f}" for value in pose), action))
    _write(folder / "poses.csv", poses)
    labelled: list[tuple[str, str, str]] = []
    for number in range(WALKS, WALKS + OTHERS):
        for i, (picture, _, _, room) in enumerate(_walk(game, seed=number)):
            if room and i % EVERY == 0:
                name = f"places/{number}-{i}.png"
                _save(picture, folder / name)
                labelled.append((name, room, str(number)))
    counts = Counter(room for _, room, _ in labelled)
    kept = [row for row in labelled if counts[row[1]] >= FEWEST]
    _write(folder / "places.csv", [("path", "label", "group"), *kept])
    print(f"{len(poses) - 1} frames in {WALKS} walks; {len(kept)} labelled in {len({r for _, r, _ in kept})} rooms")
    return 0


def _game() -> Any:
    import vizdoom as vzd

    game = vzd.DoomGame()
    game.load_config(os.path.join(vzd.scenarios_path, "my_way_home.cfg"))  # noqa: PTH118
    game.set_window_visible(False)
    game.set_screen_resolution(vzd.ScreenResolution.RES_160X120)
    game.set_screen_format(vzd.ScreenFormat.RGB24)
    game.set_available_buttons([vzd.Button.TURN_LEFT, vzd.Button.TURN_RIGHT, vzd.Button.MOVE_FORWARD])
    names = ("POSITION_X", "POSITION_Y", "ANGLE")
    game.set_available_game_variables([getattr(vzd.GameVariable, name) for name in names])
    game.set_sectors_info_enabled(True)
    game.set_episode_timeout(10_000)
    game.init()
    return game


def _walk(game: Any, *, seed: int) -> Any:
    """Frames with pose, action and room, until the goal is found; an action goes on for some steps, or to a wall."""
    rng = np.random.default_rng(seed)
    game.set_seed(seed)
    game.new_episode()
    action, left, before = "ahead", 0, None
    for _ in range(FRAMES):
        if game.is_episode_finished():
            return
        state = game.get_state()
        pose = tuple(float(value) for value in state.game_variables)
        stuck = action == "ahead" and before is not None and np.hypot(pose[0] - before[0], pose[1] - before[1]) < 1
        if left == 0 or stuck:
            action = str(rng.choice(list(ACTIONS), p=(0.5, 0.5, 0) if stuck else SHARES))
            left = int(rng.integers(3, 12))
        yield state.screen_buffer.copy(), pose, action, _room(state, pose)
        before, left = pose, left - 1
        game.make_action(ACTIONS[action], TICS)


def _room(state: Any, pose: tuple[float, ...]) -> str:
    """The sector that the camera is in, by counting the walls that a ray to the right crosses; empty if none is."""
    x, y, _ = pose
    for number, sector in enumerate(state.sectors):
        crossed = 0
        for wall in sector.lines:
            if (wall.y1 > y) != (wall.y2 > y):
                crossed += x < wall.x1 + (y - wall.y1) * (wall.x2 - wall.x1) / (wall.y2 - wall.y1)
        if crossed % 2:
            return f"room {number}"
    return ""


def _save(picture: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).resize((SIZE, SIZE), Image.Resampling.BOX).save(path)


def _write(path: Path, rows: list[Any]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) == 2 else "~/.cache/headstart-cases/maze").expanduser()))
