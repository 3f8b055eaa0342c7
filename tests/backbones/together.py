"""One of two processes that train a partly frozen network together: `python together.py STRATEGY FOLDER RANK`."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import torch
from torch import nn

from headstart.backbones import Transferred, load_random
from headstart.strategies import TABLE, frozen_cut
from headstart.training import finetune
from headstart.training.loop import make_optimizer


def main(strategy: str, folder: Path, rank: int) -> None:
    """Take three steps on batches of this process's own; write down what moved and what should not have."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    backbone = load_random("test_resnet", size=64, seed=0)
    torch.manual_seed(0)
    row = TABLE[strategy]
    head, frozen = nn.Linear(backbone.widths["top"], 3), frozen_cut(row, backbone.cuts)
    model = Transferred(backbone, head, frozen=frozen, source_statistics=True, only=row.only).train()
    before = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    spread = nn.parallel.DistributedDataParallel(model)
    optimizer = make_optimizer(model, finetune(12, epochs=1))
    for group in optimizer.param_groups:
        group["lr"] = 1e-2
    torch.manual_seed(rank + 1)
    for _ in range(3):
        spread(torch.randn(4, 3, 64, 64)).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    digest = hashlib.blake2b()
    for tensor in model.state_dict().values():
        digest.update(tensor.detach().numpy().tobytes())
    moved = [name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])]
    told = {"moved": moved, "fixed": sorted(model.fixed_state()), "digest": digest.hexdigest()}
    (folder / f"rank-{rank}.json").write_text(json.dumps(told))
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
