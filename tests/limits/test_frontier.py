"""The Pareto front: every point certified, none beaten by another."""

import numpy as np
import pytest
from helpers import CIRCUITS

import qprune
from qprune import Measured, OptionError


@pytest.fixture(scope="module", params=[False, True], ids=["as they are", "refit"])
def front(request):
    task = qprune.Task.load(CIRCUITS / "h2-vqe-4q")
    return qprune.frontier(task, budgets=(1e-3, 1e-2, 0.05), refit=request.param)


def point(result):
    return (result.circuit.num_nonlocal_gates(), result.circuit.size(), result.certificate.largest_measured)


def test_no_point_beats_another(front):
    points = [point(result) for result in front]
    assert len(points) >= 2
    for k, one in enumerate(points):
        for other in points[k + 1 :]:
            assert not all(a <= b for a, b in zip(one, other, strict=True))
            assert not all(b <= a for a, b in zip(one, other, strict=True))


def test_every_point_verifies_and_keeps_its_budget(front):
    for result in front:
        qprune.verify(result.original, result)
        assert result.certificate.largest_measured <= result.certificate.budget + 1e-9


def test_within_gives_the_smallest_that_fits(front):
    chosen = front.within(0.02)
    assert chosen.certificate.largest_measured <= 0.02
    fitting = [point(r)[:2] for r in front if r.certificate.largest_measured <= 0.02]
    assert point(chosen)[:2] == min(fitting)
    with pytest.raises(OptionError, match="deviation"):
        front.within(-1.0)


def test_it_is_drawn_and_printed(front):
    from matplotlib import pyplot

    ax = qprune.plot(front)
    assert len(ax.lines) == 2
    assert list(ax.lines[0].get_xdata()) == [r.circuit.size() for r in front]
    pyplot.close(ax.figure)
    assert len(str(front).splitlines()) == len(front) + 1


def test_refit_goes_farther():
    task = qprune.Task.load(CIRCUITS / "h2-vqe-4q")
    plain, refitted = (qprune.prune(task, Measured(0.05, refit=refit)).circuit for refit in (False, True))
    assert refitted.size() <= plain.size()
    assert refitted.num_nonlocal_gates() <= plain.num_nonlocal_gates()


def test_front_is_deterministic():
    task = qprune.Task.load(CIRCUITS / "h2-vqe-4q")
    texts = [[r.certificate.to_json() for r in qprune.frontier(task, budgets=(0.01,), refit=True)] for _ in range(2)]
    assert texts[0] == texts[1]
    assert np.all([len(t) for t in texts[0]])
