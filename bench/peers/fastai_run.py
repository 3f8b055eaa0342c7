"""Run in fastai's own environment: `fine_tune` on one backbone under a time limit.

python fastai_run.py SPLIT.json WEIGHTS SECONDS SEED SIZE → one JSON line
"""

import json
import sys
import time

import pandas as pd
import torch
from fastai.vision.all import (
    CategoryBlock,
    ColReader,
    ColSplitter,
    DataBlock,
    ImageBlock,
    Normalize,
    Resize,
    ResizeMethod,
    accuracy,
    aug_transforms,
    set_seed,
    vision_learner,
)

split, weights, limit, seed, size = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
started = time.perf_counter()
set_seed(seed, reproducible=True)
parts = json.load(open(split))
rows = [(path, label, name == "val") for name in ("train", "val") for path, label in parts[name]]
frame = pd.DataFrame(rows, columns=["path", "label", "valid"])
block = DataBlock(
    blocks=(ImageBlock, CategoryBlock),
    get_x=ColReader("path"),
    get_y=ColReader("label"),
    splitter=ColSplitter("valid"),
    item_tfms=Resize(size, method=ResizeMethod.Squish),
    batch_tfms=[*aug_transforms(size=size, do_flip=False), Normalize.from_stats([0.5] * 3, [0.5] * 3)],
)
dls = block.dataloaders(frame, bs=32, num_workers=2)


def learner():
    made = vision_learner(dls, "tf_efficientnet_lite0", pretrained=False, normalize=False, metrics=accuracy)
    state = torch.load(weights, weights_only=True)
    missing = made.model[0].model.load_state_dict(state, strict=False)
    assert not missing.missing_keys, missing.missing_keys
    return made


with learner().no_bar() as trial, trial.no_logging():
    begun = time.perf_counter()
    trial.freeze()
    trial.fit_one_cycle(1)
    frozen = time.perf_counter() - begun
    trial.unfreeze()
    begun = time.perf_counter()
    trial.fit_one_cycle(1)
    whole = time.perf_counter() - begun
left = limit - (time.perf_counter() - started)
epochs = max(1, int((left * 0.95 - frozen) / whole))
set_seed(seed, reproducible=True)
with learner().no_bar() as tuned, tuned.no_logging():
    tuned.fine_tune(epochs)
    trained = time.perf_counter() - started
    test = pd.DataFrame(parts["test"], columns=["path", "label"])
    loader = dls.test_dl(test, with_labels=True)
    probabilities, y = tuned.get_preds(dl=loader)
print(
    json.dumps(
        {
            "accuracy": float((probabilities.argmax(1) == y).float().mean()),
            "predicted": probabilities.argmax(1).tolist(),
            "y": y.tolist(),
            "seconds": trained,
            "epochs": epochs,
        }
    )
)
