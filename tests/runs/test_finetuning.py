"""Low-rank adapters from folder to bundle: what is handed back has none, and is the same function."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn

from headstart.backbones import Transferred, load
from headstart.bundle.save import rebuild
from headstart.errors import MissingExtraError
from headstart.records import Record
from headstart.report import explain
from headstart.runs import finetuning
from headstart.runs import fit as fitting
from headstart.runs.context import Context, Prepared
from headstart.runs.finetuning import keep_model, kept_model
from headstart.runs.run import Run
from headstart.strategies import FAMILIES
from headstart.training import Scores

Fit = Callable[..., Run]
STAGE = "fine-tuning by low-rank adapters (LoRA)"


@pytest.fixture
def adapted_fit(small_fit: Fit, monkeypatch: pytest.MonkeyPatch) -> Fit:
    """`headstart.fit` by low-rank adapters, judged on one validation part, which hands them back whatever won."""
    reach = fitting.reach_verdict

    def for_adapters(context: Context, prepared: Prepared) -> Record:
        return replace(reach(context, prepared), strategy=context.options.strategy)

    def farther_is_better(model: nn.Module, _: object) -> Scores:
        """Else the best epoch of so small a training may be the one before the first, without any adapter."""
        moved = [p.detach().abs().sum().item() for name, p in model.named_parameters() if ".lora_B." in name]
        return Scores(np.full(2, -sum(moved)), 0.0)

    monkeypatch.setattr(fitting, "reach_verdict", for_adapters)
    monkeypatch.setattr(finetuning, "score", farther_is_better)
    return lambda out, **options: small_fit(out, **{"strategy": "lora"} | options)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "kind"), [("lora", "Low-rank"), ("dora", "Weight-decomposed")])
def test_adapters_are_merged_into_what_is_handed_back(adapted_fit: Fit, tmp_path: Path, name: str, kind: str) -> None:
    run = adapted_fit(tmp_path / "run", strategy=name)
    names = load_file(run.folder / "model.safetensors").keys()
    source = Transferred(load("random/test_resnet", size=32), nn.Linear(96, 5))
    assert set(names) == set(source.state_dict())
    bundle, record = run.records.get("bundle"), run.records.get(f"candidate/{name}")
    assert bundle is not None and bundle.detail["parity"] < 1e-5
    again = load(f"run:{run.folder}", size=32)
    assert again.fingerprint() == rebuild(run.folder).backbone.fingerprint() != source.backbone.fingerprint()
    # The finalist's model was kept as well, under the network's own names.
    finalist = load_file(run.folder / "work" / f"{name}-0-model.safetensors")
    assert finalist.keys() == names
    assert record is not None
    told = explain(run.folder)[-1]
    assert told["strategy"] == name
    assert told["note"] == f"{kind} adapters (rank 8) stand beside 15 of 15 linear layers and convolutions."
    outputs = sum(m.out_channels for m in source.modules() if isinstance(m, nn.Conv2d))
    trainable = 48635 + 2 * 97 + (outputs if name == "dora" else 0)
    assert record.detail["trainable"] == sum(part["training"] for part in told["parts"]) == trainable
    assert all(part["state"].endswith("train, statistics kept") for part in told["parts"] if part["cut"] == "stem")
    code = "import sys; from headstart import load; load(sys.argv[1]); sys.exit('peft' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code, str(run.folder)], check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("done", [2, 9])
def test_an_interrupted_training_of_adapters_ends_with_the_same_bits(
    adapted_fit: Fit, tmp_path: Path, done: int
) -> None:
    whole = adapted_fit(tmp_path / "whole")

    def stop(stage: str, reached: int, total: int) -> None:
        if stage == STAGE and reached >= done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        adapted_fit(tmp_path / "broken", progress=stop)
    again = adapted_fit(tmp_path / "broken")
    one, other = (load_file(run.folder / "model.safetensors") for run in (whole, again))
    assert all((one[name] == other[name]).all() for name in one)
    assert whole.metrics == again.metrics


def test_a_kept_model_with_adapters_is_had_again_without(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Transferred(load("random/test_vit", size=64), nn.Linear(64, 3), only="adapters").eval()
    with torch.no_grad():
        for parameter in model.trainable():
            parameter.add_(0.02 * torch.randn_like(parameter))
    keep_model(tmp_path / "model.safetensors", model.merged())
    again = kept_model(tmp_path / "model.safetensors", load("random/test_vit", size=64), classes=3, frozen="")
    x = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(again(x), model(x), atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_every_leaves_adapters_out_without_peft_and_says_so(
    small_fit: Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FAMILIES, "every", ("probe", "norms", "lora"))
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "peft", None)
        run = small_fit(tmp_path / "run", strategy="every")
        with pytest.raises(MissingExtraError, match="need peft"):
            small_fit(tmp_path / "other", strategy="lora")
    assert not (tmp_path / "other").exists()
    made = run.records.get("plan")
    assert made is not None
    said = "Low-rank adapters need peft, which is not installed. Run: pip install 'headstart[lora]'."
    assert f"Not tried: {STAGE}. {said}" in made.detail["notes"]
    assert {r.strategy for r in run.records.of("candidate")} == {"probe", "norms"}
    assert "headstart[lora]" in (run.folder / "report.html").read_text()
