"""Our features at all cuts and the ridge at each of them, on a folder of images.

python headstart_run.py FOLDER WEIGHTS CACHE SIZE → one JSON line (WEIGHTS is not read: ours are the packaged ones)
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
import torch

from headstart.backbones import load
from headstart.data import folds, survey
from headstart.features import extract
from headstart.problem import read_labelled
from headstart.shallow import best, screen

folder, cache, size = Path(sys.argv[1]), Path(sys.argv[3]), int(sys.argv[4])
backbone = load("packaged/efficientnet_lite0", size=size)
started = time.perf_counter()
labelled = read_labelled(folder)
images = survey(labelled.x, size, cache=cache)
usable = np.array([i for i, key in enumerate(images.ids) if key])
found = extract(backbone, images, usable, cache=cache, device=torch.device("cpu"), progress=lambda *_: None)
z, y = {cut: found.at(cut) for cut in found.cuts}, labelled.y[usable]
extracted = time.perf_counter() - started
started = time.perf_counter()
probe = best(screen(z, y, folds(y, np.arange(len(y)), 5, seed=0)))
probed = time.perf_counter() - started
print(json.dumps({"extract_s": extracted, "probe_s": probed, "accuracy": probe.value, "n": len(y)}))
