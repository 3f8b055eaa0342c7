"""Run in visbench's own environment: its cached features and its linear probe on a folder of images.

python visbench_run.py FOLDER WEIGHTS CACHE SIZE → one JSON line

Its timm backbones load weights from a hub alone, so this goes through its hook for a user's own model, around
timm's network with the packaged weights. Extraction, cache and probe are visbench's, with their defaults.
"""

import json
import sys
import time

import numpy as np
import timm
import torch
import visbench
from torchvision import transforms
from visbench.cache import FeatureCache
from visbench.data import ImageFolderDataset
from visbench.utils import set_seed

folder, weights, kept, size = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
network = timm.create_model("tf_efficientnet_lite0", num_classes=1000)
network.load_state_dict(torch.load(weights, weights_only=True))
network.forward = network.forward_features
preprocess = transforms.Compose(
    [
        transforms.Resize(size, interpolation=transforms.InterpolationMode.BICUBIC),
        transforms.CenterCrop(size),
        transforms.ToTensor(),
        transforms.Normalize((0.5,) * 3, (0.5,) * 3),
    ]
)
backbone = visbench.CustomBackbone(
    network.eval(), preprocess=preprocess, name="tf_efficientnet_lite0", embed_dim=1280, image_size=size, device="cpu"
)
started = time.perf_counter()
dataset, cache = ImageFolderDataset(folder), FeatureCache(kept)
features = cache.extract_dataset(
    backbone,
    dataset,
    pooling=backbone.default_pooling(),
    layers=None,
    keep="pooled",
    feature_mode="dense_only",
    batch_size=32,
)
extracted = time.perf_counter() - started
pooled, labels = features["pooled"], torch.as_tensor(dataset.labels())
order = np.random.default_rng(0).permutation(len(labels))
test, train = np.split(order, [len(order) // 5])
set_seed(0)
started = time.perf_counter()
probe = visbench.get_probe("classification", num_classes=len(dataset.classes), device="cpu")
probe.fit(pooled[train], labels[train])
scores = probe.evaluate(pooled[test], labels[test])
probed = time.perf_counter() - started
print(json.dumps({"extract_s": extracted, "probe_s": probed, "accuracy": float(scores["top1"]), "n": len(labels)}))
