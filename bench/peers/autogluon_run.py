"""Run in AutoGluon's own environment: MultiModalPredictor on one backbone under a time limit.

python autogluon_run.py SPLIT.json WEIGHTS SECONDS SEED SIZE → one JSON line
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd
import timm
import torch
from autogluon.multimodal import MultiModalPredictor

split, weights, limit, seed, size = sys.argv[1], sys.argv[2], float(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5])
parts = json.load(open(split))
frames = {name: pd.DataFrame(parts[name], columns=["image", "label"]) for name in ("train", "val", "test")}
with tempfile.TemporaryDirectory() as folder:
    # Its way to local weights: a folder with a configuration and a state dict without the classifier.
    local = Path(folder) / "weights"
    local.mkdir()
    network = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    state = torch.load(weights, weights_only=True)
    network.load_state_dict({name: state[name] for name in network.state_dict()})
    torch.save(network.state_dict(), local / "pytorch_model.bin")
    config = {**network.pretrained_cfg, "input_size": [3, size, size], "mean": [0.5] * 3, "std": [0.5] * 3}
    (local / "config.json").write_text(
        json.dumps(
            {"architecture": "tf_efficientnet_lite0", "num_features": network.num_features, "pretrained_cfg": config}
        )
    )
    started = time.perf_counter()
    predictor = MultiModalPredictor(label="label", eval_metric="acc", path=f"{folder}/model", verbosity=1)
    predictor.fit(
        frames["train"],
        tuning_data=frames["val"],
        time_limit=limit,
        seed=seed,
        hyperparameters={
            "model.names": ["timm_image"],
            "model.timm_image.checkpoint_name": str(local),
            "env.num_gpus": 0,
            "env.num_workers": 2,
        },
    )
    trained = time.perf_counter() - started
    predicted = predictor.predict(frames["test"][["image"]], as_pandas=False)
y = frames["test"]["label"].to_numpy()
print(
    json.dumps(
        {
            "accuracy": float((predicted == y).mean()),
            "predicted": [str(label) for label in predicted],
            "y": [str(label) for label in y],
            "seconds": trained,
        }
    )
)
