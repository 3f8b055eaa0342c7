"""One of two processes that train partly frozen networks together: `python together.py FOLDER RANK ROW/FAMILY...`."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from headstart.backbones import load_random
from headstart.strategies import TABLE, Strategy
from headstart.training.loop import make_optimizer
from headstart.training.recipe import held_cut


def main(folder: Path, rank: int, cases: list[str]) -> None:
    """Train each model in its turn; write down what moved and what should not have."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    told = {}
    for case in cases:
        name, _, family = case.partition("/")
        told[case] = trained(TABLE[name], family, rank=rank)
    (folder / f"rank-{rank}.json").write_text(json.dumps(told))
    torch.distributed.destroy_process_group()


def trained(row: Strategy, family: str, *, rank: int) -> dict[str, Any]:
    """Three steps on batches of this process's own, for each cut that the row holds the network at."""
    # pytest reads this file for examples, too, and finds no module of that name beside it.
    from test_transferred import expected_to_train, model_of, recipe_of, rows_moved, snapshot

    recipe = recipe_of(row)
    model = model_of(row, load_random(family, size=64, seed=0)).train()
    wanted, before = expected_to_train(row, model), snapshot(model)
    # What takes no gradient when it is wrapped is never averaged: wrapped first, held afterwards.
    spread = nn.parallel.DistributedDataParallel(model, find_unused_parameters=recipe.gradual)
    optimizer = make_optimizer(model, recipe)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"]
    torch.manual_seed(rank + 1)
    held = [held_cut(model.backbone.cuts, epoch, epochs=6) for epoch in (1, 2, 3)] if recipe.gradual else [""]
    stayed = []
    for cut in held:
        model.hold(cut)
        fixed = model.fixed_digest()
        for _ in range(3):
            spread(torch.randn(4, 3, 64, 64)).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad()
        stayed.append(model.fixed_digest() == fixed)
    digest = hashlib.blake2b()
    for tensor in model.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    return {
        "held": held,
        "stayed": stayed,
        "moved": sorted(rows_moved(model, before)),
        "wanted": sorted(wanted),
        # The same as in the test of one process: a bias before a norm may have a gradient of nothing but zeros.
        "still": sorted(n for n in wanted if not n.endswith("bias") and before[n].numel() > 1),
        "digest": digest.hexdigest(),
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
