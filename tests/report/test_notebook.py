"""What notebooks show: short, whole, escaped; a verdict that says what the certificate says."""

from __future__ import annotations

import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter

import qprune
from qprune import Domain, Everywhere, Measured, Proven, Task, draw, prune
from qprune.results.result import verdict

NAME = "<b>x & y</b>"


class Balanced(HTMLParser):
    """Every tag that is opened is closed in its order."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(thing):
    """The text of what a notebook shows of it."""
    html = thing._repr_html_()
    parser = Balanced()
    parser.feed(html)
    parser.close()
    assert not parser.open
    assert len(html) < 4000
    assert "<b>x & y" not in html
    return " ".join(parser.text)


def task(**options):
    """⟨ZI⟩ = cos(x), times cos 0.2 by the last rotation; ⟨Z⟩ of a CX that does nothing to it."""
    circuit, x = QuantumCircuit(2), Parameter(NAME)
    circuit.ry(x, 0)
    circuit.rx(0.2, 0)
    circuit.cx(1, 0)
    rows = np.array([[1.3], [1.5], [1.6]])
    return Task(circuit, "IZ", inputs=rows, input_params=[x], labels=[1, 1, -1], **options)


@pytest.fixture(scope="module")
def measured():
    return prune(task(), Measured(0.02))


def test_everything_shows_itself(measured):
    assert "Every claim holds" in read(qprune.verify(measured))
    assert "samples 3" in " ".join(read(measured.original).split())
    assert f"{measured.certificate.largest_measured:.6g}" in read(measured.certificate)
    front = qprune.frontier(task(), budgets=[0.02], refit=False)
    assert str(front[0].circuit.size()) in read(front)
    assert "fewer gates" in read(measured)
    assert NAME in read(measured.original)


def test_a_prompt_shows_a_line(measured):
    for thing in (measured, measured.certificate, qprune.verify(measured), measured.original, measured.original.domain):
        assert len(repr(thing)) < 200
    assert f"measured {measured.certificate.largest_measured:.4g}" in repr(measured.certificate)


def test_the_verdict_says_what_is_known_and_how(measured):
    change, most = (1 - np.cos(0.2)) * np.cos(1.3), 1 - np.cos(0.2)
    said = verdict(measured)
    assert "67 % fewer gates (3 → 1), 1 of 1 two-qubit gates gone" in said
    assert change <= limit(r"for every input .*, no output changes by more than (\S+): proven", said)
    assert "accuracy 1 → 1 on 3 samples with labels" in said
    everywhere = verdict(prune(task(domain=Domain.box(-2, 2)), Everywhere(0.05)))
    assert most <= limit(r"for every input from -2 to 2, no output changes by more than (\S+): proven", everywhere)
    proven = prune(task(), Proven(0.3))
    told = limit(r"on 3 samples, no output changes by more than (\S+): proven", verdict(proven))
    assert proven.certificate.largest_bound <= told <= 1.01 * proven.certificate.largest_bound


def limit(pattern, text):
    """The number that a sentence names; in few digits, so it must have been rounded up."""
    return float(re.search(pattern, text)[1])


def test_nothing_removed_and_no_inputs():
    circuit = QuantumCircuit(1)
    circuit.ry(1.0, 0)
    result = prune(Task(circuit, "Z"), Measured(1e-3))
    assert verdict(result) == "Nothing could be removed; no output changes by more than 0: measured."
    assert "total variation" in verdict(prune(Task(circuit), Measured(1e-3)))


def test_drawings_are_two_pictures():
    from matplotlib import pyplot

    circuit = QuantumCircuit(1)
    circuit.ry(1.0, 0)
    drawings = draw(prune(Task(circuit, "Z"), Measured(1e-3)))
    found = re.findall(r'<img alt="(\w+)" src="data:image/png;base64,([^"]+)">', drawings._repr_html_())
    assert [name for name, _ in found] == ["before", "after"]
    assert all(b64decode(data).startswith(b"\x89PNG") for _, data in found)
    for figure in drawings:
        pyplot.close(figure)
