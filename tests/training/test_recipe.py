"""Recipes are pure functions of the amount of data and the epochs."""

from __future__ import annotations

from headstart.training import finetune, scratch
from headstart.training.recipe import batch_size


def test_few_images_take_small_steps() -> None:
    assert [batch_size(n) for n in (1, 499, 500, 9999)] == [16, 16, 32, 32]


def test_fine_tuning_is_gentler_than_training_from_scratch() -> None:
    gentle, bold = finetune(100, epochs=5), scratch(100, epochs=5)
    assert gentle.epochs == bold.epochs == 5
    assert gentle.lr < bold.lr and gentle.lr_head < bold.lr_head
    assert gentle.source_statistics and not bold.source_statistics
    assert gentle.patience < bold.patience
    assert gentle == finetune(100, epochs=5)
