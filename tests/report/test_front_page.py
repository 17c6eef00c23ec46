"""The page of a Pareto front, its slider also in a real browser; outputs before against after."""

import re
from functools import cache

import matplotlib as mpl
import numpy as np
import pytest
from browser import check_fits, told_by
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.quantum_info import Statevector
from small_task import make, network

import qprune
from qprune import MatrixProductState, Measured, OptionError, Proven
from qprune.report.outputs import can_be_run
from qprune.report.store import is_frontier, save_frontier

mpl.use("Agg")
FETCHES = re.compile(r"<(script|link|img|iframe|object|embed|base|form)\b|@import|url\((?!#)")


@cache
def front():
    return qprune.frontier(make(), budgets=[0.05, 0.3, 1.0], refit=False)


def page_in(folder):
    qprune.report(front(), folder / "front.html")
    return folder / "front.html"


def test_every_point_can_be_chosen_and_one_is(tmp_path):
    text = page_in(tmp_path).read_text(encoding="utf-8")
    assert len(re.findall('<input type="radio" name="point"', text)) == len(front())
    assert len(re.findall(r'id="pick-\d+" checked', text)) == 1
    for result in front():
        assert f"({result.flat.size()} → {result.circuit.size()})" in text or "nothing could be removed" in text
    assert not FETCHES.search(text)
    assert "default-src 'none'" in text


def test_what_a_number_may_hide_stands_beside_the_verdict(tmp_path):
    """⟨Z⟩ = cos(x), times cos 0.2 by the last rotation: little on the sample, six times as much at x = 0."""
    circuit, x = QuantumCircuit(1), Parameter("x")
    circuit.ry(x, 0)
    circuit.rx(0.2, 0)
    task = qprune.Task(circuit, "Z", inputs=[[1.4]], input_params=[x], domain=qprune.Domain.box(0, 1.4))
    result = qprune.prune(task, Measured(0.005))
    (caution,) = [words for words in result.warnings if "between the samples" in words]
    qprune.report(result, tmp_path / "page.html")
    qprune.report(qprune.frontier(task, budgets=[0.005], refit=False), tmp_path / "front.html")
    for name, most in (("page", 1), ("front", 2)):
        text = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        verdict, tiles = text.index('<p class="verdict">'), text.rindex('<dl class="tiles">')
        assert verdict < text.index(caution) < tiles
        assert 1 <= text.count(f'<p class="warning">WARNING: {caution}') <= most


def test_a_saved_front_leads_to_every_points_report(tmp_path):
    some = qprune.Frontier(front().results[:2])
    save_frontier(some, tmp_path / "out")
    assert is_frontier(tmp_path / "out")
    text = (tmp_path / "out" / "frontier.html").read_text(encoding="utf-8")
    links = re.findall(r'<a href="([^"#]*)"', text)
    assert len(links) == len(some) == 2
    for link in links:
        assert (tmp_path / "out" / link).is_file()


def test_a_front_of_one_point_has_a_page(tmp_path):
    alone = qprune.Frontier(front().results[:1])
    qprune.report(alone, tmp_path / "one.html", title="alone")
    assert "<h1>alone</h1>" in (tmp_path / "one.html").read_text(encoding="utf-8")


def test_what_only_a_results_page_shows_is_refused(tmp_path):
    with pytest.raises(OptionError, match="names go with one result"):
        qprune.report(front(), tmp_path / "page.html", names={"w": "weights[0]"})


SLIDES = """
const picks = [...document.querySelectorAll("input[name=point]")];
return picks.map(pick => {
  pick.click();
  const drawn = e => e.getBoundingClientRect().width;
  const shown = selector => [...document.querySelectorAll(selector)].filter(drawn).map(e => e.id);
  return [shown(".point"), shown("[id^=front-ring-]")];
});
"""


def test_chromium_shows_the_point_that_is_chosen_and_no_other(tmp_path):
    (seen,) = told_by(page_in(tmp_path), [1280], SLIDES)
    assert seen == [[[f"point-{k}"], [f"front-ring-{k}"]] for k in range(len(front()))]


def test_chromium_shows_the_front_without_scrolling_sideways(tmp_path):
    check_fits(page_in(tmp_path))


# -- outputs before against after -------------------------------------------------------------------------------------


def by_qiskit(task, samples):
    """⟨O⟩ or the probabilities, by Qiskit alone."""
    states = [Statevector(task.bound_circuit(i)) for i in samples]
    if task.observables is None:
        return np.ravel([state.probabilities(list(task.measured_qubits)) for state in states])
    return np.ravel([[state.expectation_value(o).real for state in states] for o in task.observables])


@pytest.mark.parametrize("task", [make(holdout=[1]), make(network(), None)], ids=["means", "probabilities"])
def test_the_scatter_holds_what_both_circuits_put_out(task):
    result = qprune.prune(task, Proven(0.5))
    ax = qprune.plot(result, mpl.figure.Figure().subplots(), show="outputs")
    drawn = {line.get_label(): line for line in ax.get_lines()}
    kinds = {"samples that selection saw": task.selected} | ({"hold-out": task.heldout} if len(task.heldout) else {})
    for label, samples in kinds.items():
        before, after = (by_qiskit(each, samples) for each in (task, result.task))
        order = np.lexsort((after, before))
        assert len(order) <= 400
        np.testing.assert_allclose(np.sort(drawn[label].get_xdata()), np.sort(before), atol=1e-9)
        np.testing.assert_allclose(np.sort(drawn[label].get_ydata()), np.sort(after), atol=1e-9)
        change = np.abs(drawn[label].get_ydata() - drawn[label].get_xdata())
        np.testing.assert_allclose(np.sort(change), np.sort(np.abs(after - before)), atol=1e-9)


def test_what_no_statevector_holds_is_not_run_for_the_page(tmp_path):
    result = qprune.prune(make(), Measured(0.3), simulator=MatrixProductState())
    assert not can_be_run(result)
    qprune.report(result, tmp_path / "page.html")
    assert "Outputs before and after" not in (tmp_path / "page.html").read_text(encoding="utf-8")
