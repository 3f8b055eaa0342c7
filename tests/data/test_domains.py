"""Batches of two domains: nothing is lost, nothing depends on more than (seed, epoch), and there are no labels."""

from __future__ import annotations

import dataclasses
from itertools import islice

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from headstart.data.batches import Augmentation, Batches
from headstart.data.domains import Pair, Paired, UnlabelledBatch, UnlabelledBatches


def read(wanted: np.ndarray) -> np.ndarray:
    """Image i is filled with its own number."""
    return np.broadcast_to(wanted[:, None, None, None], (len(wanted), 4, 4, 3)).astype(np.float32)


def prepare(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2)


def paired(n_s: int, n_t: int, size_s: int = 4, size_t: int = 4) -> Paired:
    source = Batches(read, prepare, np.arange(n_s), np.arange(n_s) % 3, size_s)
    return Paired(source, UnlabelledBatches(read, prepare, np.arange(n_t) + 1000, size_t))


def numbers(x: Tensor) -> list[int]:
    return x[:, 0, 0, 0].long().tolist()


def epoch_of(feed: Paired, epoch: int, *, seed: int = 0) -> list[Pair]:
    return list(feed.shuffled(epoch, seed=seed, augmentation=None))


@given(n_s=st.integers(2, 60), n_t=st.integers(2, 60), sizes=st.tuples(st.integers(2, 9), st.integers(2, 9)))
def test_an_epoch_holds_everything_of_both_and_the_longer_one_once(n_s: int, n_t: int, sizes: tuple[int, int]) -> None:
    feed = paired(n_s, n_t, *sizes)
    pairs = epoch_of(feed, 2)
    assert len(pairs) == len(feed) == max(len(feed.source), len(feed.target))
    source = [i for pair in pairs for i in numbers(pair.source.x)]
    target = [i - 1000 for pair in pairs for i in numbers(pair.target.x)]
    for n, found, own in ((n_s, source, feed.source), (n_t, target, feed.target)):
        assert set(found) == set(range(n))
        assert sorted(found[:n]) == list(range(n)), "each pass goes through everything"
        assert len(found) == n or len(own) < len(feed)
    assert all(pair.source.y.tolist() == [i % 3 for i in numbers(pair.source.x)] for pair in pairs)
    assert all(pair.target.numbers.tolist() == [i - 1000 for i in numbers(pair.target.x)] for pair in pairs)


def test_the_shorter_one_comes_in_another_order_and_view_each_time() -> None:
    feed = paired(6, 30, 3, 3)
    orders = [
        tuple(i for pair in epoch_of(feed, epoch)[start : start + 2] for i in numbers(pair.source.x))
        for epoch in (1, 2)
        for start in (0, 2, 4, 6, 8)
    ]
    assert len(set(orders)) == 10
    views = [
        pair.source.x[numbers(pair.source.x).index(0)] if 0 in numbers(pair.source.x) else None
        for pair in feed.shuffled(1, seed=0, augmentation=None)
    ]
    assert sum(view is not None for view in views) == 5
    shaken = list(feed.shuffled(1, seed=0, augmentation=Augmentation()))
    sums = {round(float(pair.source.x.sum()), 3) for pair in shaken}
    assert len(sums) == len(shaken)


def test_seed_and_epoch_decide_everything() -> None:
    feed = paired(7, 11)

    def told(epoch: int, seed: int) -> list[tuple[list[int], list[int]]]:
        return [(numbers(pair.source.x), numbers(pair.target.x)) for pair in epoch_of(feed, epoch, seed=seed)]

    list(islice(feed.shuffled(1, seed=0, augmentation=None), 2))  # an epoch that is broken off leaves nothing behind
    assert told(3, 1) == told(3, 1)
    assert told(3, 1) != told(4, 1) and told(3, 1) != told(3, 2)


def test_the_same_items_on_both_sides_do_not_come_in_pairs() -> None:
    together = [
        numbers(pair.source.x) == [i - 1000 for i in numbers(pair.target.x)]
        for epoch in range(1, 9)
        for pair in epoch_of(paired(12, 12), epoch)
    ]
    assert not any(together)


def test_a_batch_of_the_target_has_no_labels_by_its_type() -> None:
    assert {field.name for field in dataclasses.fields(UnlabelledBatch)} == {"x", "plain", "numbers"}
    assert not hasattr(paired(4, 4).target, "y")
    with pytest.raises(TypeError):
        UnlabelledBatch(torch.zeros(1), torch.zeros(1), torch.zeros(1), y=torch.zeros(1))  # type: ignore[call-arg]


def test_the_target_comes_in_views_and_as_it_is() -> None:
    target = paired(4, 9).target
    for batch in target.shuffled(1, seed=0, augmentation=Augmentation()):
        assert numbers(batch.plain) == (batch.numbers + 1000).tolist()
        assert not torch.equal(batch.x, batch.plain)
    assert [i for batch in target.in_order() for i in batch.numbers.tolist()] == list(range(9))
