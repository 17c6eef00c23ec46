"""What `UnderNoise` with refit does: inputs like the samples, and gates one by one, judged on inputs not fitted on."""

from __future__ import annotations

import numpy as np
import pytest
from noisy_networks import depolarising, redundant

import qprune
from qprune.limits.refit import alike

DRAWN = 40_000


def test_inputs_like_the_samples_have_their_mean_and_covariance():
    """Normal data, far from their box's edge but for a few; moments of draws against moments of the samples."""
    rng = np.random.default_rng(0)
    rows = rng.multivariate_normal([1.0, -2.0], [[0.5, 0.3], [0.3, 0.4]], size=300)
    task = redundant().with_inputs(rows)
    found = alike(task, DRAWN, 3)
    samples = task.inputs[task.selected]
    spread = samples.std(axis=0)
    assert np.all(np.abs(found.mean(axis=0) - samples.mean(axis=0)) < 0.03 * spread)
    np.testing.assert_allclose(np.cov(found.T), np.cov(samples.T), rtol=0.06)
    assert np.all(found >= samples.min(axis=0))
    assert np.all(found <= samples.max(axis=0))
    np.testing.assert_array_equal(found, alike(task, DRAWN, 3))
    assert not np.array_equal(found, alike(task, DRAWN, 4))


@pytest.mark.parametrize("shots", [None, 1000])
def test_no_circuit_is_predicted_better_than_on_the_samples(shots):
    """What is added for unseen inputs is never negative."""
    result = qprune.prune(redundant(), qprune.UnderNoise(depolarising(), refit=True, shots=shots))
    noise = result.certificate.noise
    before, after = noise.predicted if shots is None else noise.at_shots.error
    assert min(error for _, error in noise.tried) >= after - 1e-12
    assert after < before
    qprune.verify(result.original, result)
