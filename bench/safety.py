#!/usr/bin/env python3
"""What is on disk survives: a process killed at random moments, and files flipped and cut off.

python bench/safety.py kills [SHARE/OF]     so many SIGKILLs as bench/grids/safety.toml declares (one share of them)
python bench/safety.py flips                so many flipped bytes and truncations
python bench/safety.py table                print the tables
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # the same threads, the same bits

import json
import random
import shutil
import signal
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import openvino  # noqa: F401 (loaded before the forks, so that each of them starts at once)
import timm  # noqa: F401
import torch
from measuring import CASES

from headstart import fit
from headstart.backbones import Transferred, load
from headstart.data import survey
from headstart.data.batches import Augmentation, Batches
from headstart.data.store import RowStore
from headstart.features import activations, extract
from headstart.problem import read_labelled
from headstart.runs.caching import STORES, verify
from headstart.runs.machine import machine

HERE = Path(__file__).parent
GRID = tomllib.loads((HERE / "grids/safety.toml").read_text())
RECORDS = HERE / "records/safety.jsonl"


def subset(case: str, classes: int, images: int, into: Path) -> Path:
    """A few images of a few classes, as a folder."""
    for label in sorted(path for path in (CASES / case).iterdir() if path.is_dir())[:classes]:
        (into / label.name).mkdir(parents=True, exist_ok=True)
        for path in sorted(label.iterdir())[:images]:
            shutil.copy(path, into / label.name)
    return into


class Child:
    """A run of `fit` in a forked process, which tells its progress line by line in a file."""

    def __init__(self, data: Path, out: Path, cache: Path, told: Path) -> None:
        self.started = time.time()
        self.pid = os.fork()
        if self.pid:
            return
        os.environ["HEADSTART_CACHE"] = str(cache)
        status = 1
        try:
            with told.open("a") as file:

                def progress(stage: str, done: int, total: int) -> None:
                    file.write(f"{os.getpid()}\t{stage}\t{done}\t{total}\n")
                    file.flush()

                options = {name: GRID["kills"][name] for name in ("budget", "strategy", "size")}
                fit(data, out, backbones=(GRID["kills"]["backbone"],), progress=progress, **options)
            status = 0
        finally:
            os._exit(status)

    def ended(self, within: float) -> bool:
        """Whether it ends by itself in time; it is killed where it does not."""
        while time.time() - self.started < within:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                if status:
                    sys.exit(f"A run failed by itself, with status {status}.")
                return True
            time.sleep(0.01)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return False


def outcome(out: Path) -> dict[str, Any]:
    """Everything that a run decided and computed: records without their costs, weights, predictions."""
    lines = [json.loads(line) for line in (out / "records.jsonl").read_text().splitlines()]
    kept: dict[str, Any] = {line["key"]: line for line in lines if line["what"] not in ("spent", "bundle")}
    for line in kept.values():
        line.pop("cost", None)
        line.pop("time", None)
        line.pop("versions", None)
    kept["plan"] = kept["plan"]["detail"]["units"]
    for path in (out / "model.safetensors", *sorted((out / "work").glob("*-predictions.safetensors"))):
        kept[path.name] = path.read_bytes()
    return kept


def twice(cache: Path) -> int:
    """Rows that stand in a store more than once: what was finished and computed again."""
    count = 0
    for room in STORES:
        for folder in (cache / room).glob("*") if (cache / room).is_dir() else ():
            ids = Counter(key for shard in RowStore(folder)._shards.values() for key in shard.ids)
            count += sum(n - 1 for n in ids.values())
    return count


def told_steps(told: Path, title: str) -> list[tuple[str, int, int]]:
    """Process, step and planned steps of every step of training that was told, in order."""
    lines = (line.split("\t") for line in told.read_text().splitlines())
    return [(pid, int(done), int(total)) for pid, stage, done, total in lines if stage == title]


def trainings(told: Path, title: str) -> list[int]:
    """Steps of every training of an unbroken run (one a fold, and the last one), in order."""
    steps = [done for _, done, _ in told_steps(told, title)]
    ends = [at for at in range(1, len(steps)) if steps[at] == 1]
    return [steps[at - 1] for at in ends] + steps[-1:]


def steps_again(told: Path, title: str, *, epochs: int, lengths: list[int]) -> int:
    """Steps of training that were done again although their epoch had been finished before."""
    again, number, reached = 0, 0, 0
    last, before = "", 0
    for pid, done, total in told_steps(told, title):
        epoch = total // epochs
        ended = reached == lengths[number] and done == 1 and lengths[number] > epoch
        if (pid == last and done <= before) or (pid != last and ended):
            number, reached = number + 1, 0
        elif pid != last:
            # The kill may have come between an epoch's last step and its checkpoint: that one epoch may repeat.
            finished = (reached // epoch - 1) * epoch
            again += max(0, finished - done + 1)
        reached, last, before = max(reached, done), pid, done
    return again


def kills(share: int, of: int) -> None:
    """Kill runs at random moments until so many were killed; compare each that ends with the unbroken one."""
    wanted = GRID["kills"]["kills"] // of
    rng = random.Random(share)
    killed = sum(row["kills"] for row in recorded("kills") if row["share"] == share)
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        told = GRID["kills"]
        data = subset(told["case"], told["classes"], told["images"], work / "data")
        assert Child(data, work / "unbroken", work / "cache", work / "told-unbroken").ended(900)
        expected, plan = outcome(work / "unbroken"), (work / "unbroken/records.jsonl").read_text().splitlines()[0]
        lengths = trainings(work / "told-unbroken", told["title"])
        epochs = int(expected[f"candidate/{told['strategy']}"]["recipe"]["epochs"])
        # The first run with this plan is not killed: it says how long one takes.
        seconds = 0.0
        while killed < wanted:
            trial = Path(tempfile.mkdtemp(dir=work))
            (trial / "out").mkdir()
            (trial / "out/records.jsonl").write_text(plan + "\n")
            if seconds:
                shutil.copytree(work / "cache/engines", trial / "cache/engines")
            kills_here = 0
            while True:
                within = rng.uniform(0.05, told["longest"]) if seconds and kills_here < told["most"] else 900.0
                child = Child(data, trial / "out", trial / "cache", trial / "told")
                if child.ended(within):
                    break
                kills_here += 1
            seconds = seconds or time.time() - child.started
            got = outcome(trial / "out")
            note(
                {
                    "what": "kills",
                    "share": share,
                    "kills": kills_here,
                    "differs": sorted(k for k in expected.keys() | got.keys() if expected.get(k) != got.get(k)),
                    "rows_twice": twice(trial / "cache"),
                    "steps_again": steps_again(trial / "told", told["title"], epochs=epochs, lengths=lengths),
                    "unbroken_s": seconds,
                }
            )
            killed += kills_here
            shutil.rmtree(trial)


@contextmanager
def served(work: Path) -> Iterator[tuple[Path, Callable[[], dict[str, np.ndarray]]]]:
    """A small cache of every kind, and what is read of it: pixels, features at all cuts, activations of two views."""
    told = GRID["flips"]
    data = subset(told["case"], told["classes"], told["images"], work / "data")
    labelled = read_labelled(data)
    cache, size = work / "cache", told["size"]
    backbone = load(told["backbone"], size=size)
    model = Transferred(backbone, torch.nn.Linear(backbone.widths["top"], 2), frozen=told["frozen"])
    model.eval()

    def read() -> dict[str, np.ndarray]:
        looked = survey(labelled.x, size, cache=cache)
        indices = np.arange(len(looked))
        device = torch.device("cpu")
        found = extract(backbone, looked, indices, cache=cache, device=device, progress=lambda *_: None)
        keys = list(looked.ids)
        images = Batches(looked.pixels, backbone.preprocessing.tensor, indices, labelled.y, 16, keys)
        stored = activations(model, images, cache=cache, augmentation=Augmentation(), seed=0, views=2)
        more = Augmentation()
        views = [b.x.numpy() for epoch in (1, 2) for b in stored.shuffled(epoch, seed=0, augmentation=more, views=2)]
        return {"pixels": looked.pixels(indices), "views": np.concatenate(views)} | {
            cut: found.at(cut) for cut in found.cuts
        }

    yield cache, read


def flips() -> None:
    """Flip a byte, or cut a file off, at random; read everything, or verify; nothing altered may be served."""
    wanted = GRID["flips"]["flips"] - sum(row["flips"] for row in recorded("flips"))
    rng = random.Random(wanted)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (cache, read):
        expected = read()
        counts: Counter[str] = Counter()
        for number in range(wanted):
            stores = [path for room in STORES for path in sorted((cache / room).rglob("*.shard"))]
            path = rng.choice([*stores, *sorted((cache / "engines").iterdir())])
            how = harm(path, rng)
            counts[f"{path.parent.parent.name if path.suffix == '.shard' else 'engines'}, {how}"] += 1
            if number % 2:
                # The walker names what it finds, and takes it away.
                counts["named"] += path in verify(cache).damaged
                counts["verified"] += 1
            else:
                inode = path.stat().st_ino
            got = read()
            same = got.keys() == expected.keys() and all(np.array_equal(got[k], expected[k]) for k in expected)
            counts["served"] += not same
            if not number % 2:
                rebuilt = not path.exists() or path.stat().st_ino != inode
                counts["rebuilt"] += rebuilt
                counts["read"] += 1
                if not rebuilt:
                    # Not every byte is read each time: then the walker has to find it.
                    counts["unread, then named"] += path in verify(cache).damaged
            if number % 50 == 49 or number == wanted - 1:
                note({"what": "flips", "flips": number % 50 + 1, "counts": dict(counts)})
                counts.clear()


def harm(path: Path, rng: random.Random) -> str:
    """Flip one bit of one byte (of the header, one time in four), or cut the file off; its times stay as they were."""
    before, blob = path.stat(), bytearray(path.read_bytes())
    if rng.random() < GRID["flips"]["truncations"]:
        how, blob = "cut off", blob[: rng.randrange(len(blob))]
    else:
        header = 8 + int.from_bytes(blob[:8], "little")
        at = rng.randrange(header) if rng.random() < 0.25 else rng.randrange(len(blob))
        how = "header" if at < header else "data"
        blob[at] ^= 1 << rng.randrange(8)
    temporary = path.with_suffix(".harmed")
    temporary.write_bytes(blob)
    os.utime(temporary, ns=(before.st_atime_ns, before.st_mtime_ns))
    temporary.replace(path)
    return how


def recorded(what: str) -> list[dict[str, Any]]:
    """All lines of one kind."""
    lines = RECORDS.read_text().splitlines() if RECORDS.exists() else []
    return [row for line in lines if (row := json.loads(line))["what"] == what]


def note(row: dict[str, Any]) -> None:
    """One trial, one line."""
    with RECORDS.open("a") as file:
        file.write(json.dumps(row | {"machine": machine()}) + "\n")


def table() -> None:
    """Markdown of what is recorded."""
    rows = recorded("kills")
    print(
        "| runs | SIGKILLs | results that differ | rows computed twice | finished steps again |\n|---|---|---|---|---|"
    )
    print(
        f"| {len(rows)} | {sum(r['kills'] for r in rows)} | {sum(bool(r['differs']) for r in rows)} "
        f"| {sum(r['rows_twice'] for r in rows)} | {sum(r['steps_again'] for r in rows)} |"
    )
    total: Counter[str] = Counter()
    for row in recorded("flips"):
        total.update(row["counts"])
    print(
        "\n| files harmed | values served that differ | found by reading, and rebuilt | found by verifying, and named |"
    )
    print("|---|---|---|---|")
    harmed = sum(row["flips"] for row in recorded("flips"))
    read = f"{total['rebuilt']} of {total['read']} (of the others verifying named {total['unread, then named']})"
    print(f"| {harmed:,} | {total['served']} | {read} | {total['named']} of {total['verified']} |")


if __name__ == "__main__":
    arguments = sys.argv[1:]
    if arguments[:1] == ["kills"] and len(arguments) <= 2:
        part = (arguments[1:] or ["1/1"])[0].split("/")
        kills(int(part[0]), int(part[1]))
    elif arguments == ["flips"]:
        flips()
    elif arguments != ["table"]:
        sys.exit(__doc__)
    if arguments == ["table"]:
        table()
