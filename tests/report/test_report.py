"""What people look at: the page, the diagram, the plots, the drawings; the page also in a real browser."""

import re
from datetime import UTC, datetime
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib as mpl
import numpy as np
import pytest
from browser import check_fits
from helpers import CIRCUITS
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import HGate, PauliEvolutionGate, UnitaryGate
from qiskit.quantum_info import SparsePauliOp
from small_task import make

import qprune
from qprune import BundleError, Measured, OptionError, Proven, Task, Threshold, prune
from qprune.cli import command as cli
from qprune.limits.tradeoff import trade_off, trade_off_point
from qprune.report.diagram import colour
from qprune.report.page import FATES
from qprune.report.plots import plot_tradeoff
from qprune.results.certificate import Certificate
from qprune.results.result import deviation_name, table_rows

mpl.use("Agg")
VOID = {"meta", "link", "br", "hr", "img", "input"}
HOSTILE = "</svg><script>alert('1')</script>&\""


@cache
def pruned(case):
    """Results of several kinds, each made once."""
    if case == "hostile":
        return prune(hostile_task(), Threshold(0.3))
    bundle, holdout, options = {
        "planted": ("planted-5q", 0.2, {}),
        "energy": ("h2-vqe-4q", 0.0, {"limit": Proven(0.01)}),
        "class": ("iris-4q", 0.2, {"limit": Threshold(0.1), "representatives": "class"}),
        "verified": ("h2-vqe-4q", 0.0, {"limit": Measured(0.2)}),
        "nothing": ("reupload-2q", 0.0, {"limit": Threshold(0.0)}),
    }[case]
    return prune(Task.load(CIRCUITS / bundle, holdout=holdout), **options)


@cache
def curve(case):
    return trade_off(pruned(case), points=2)


def hostile_task():
    """Names made to break out of HTML, gates of every shape, probabilities."""
    circuit = QuantumCircuit(5, name=HOSTILE)
    weight = Parameter(HOSTILE)
    circuit.ry(Parameter("x<y"), 0)
    circuit.rx(weight, 1)
    for name in ("cx", "cz", "swap", "iswap", "ch"):
        getattr(circuit, name)(0, 3)
    circuit.rzz(0.4, 1, 2)
    circuit.crx(0.7, 3, 1)
    circuit.ccx(0, 1, 2)
    circuit.append(UnitaryGate(np.eye(4)[::-1], label=HOSTILE), [2, 4])
    circuit.append(PauliEvolutionGate(SparsePauliOp("XYZ"), 0.2), [0, 2, 3])
    circuit.append(HGate().control(1, ctrl_state=0), [4, 1])
    circuit.id(2)
    circuit.sdg(0)
    circuit.measure_all()
    return Task(circuit, None, inputs=[0.3, 1.2, 2.0], input_params="x<y", weights=[0.01])


CASES = ("planted", "energy", "class", "verified", "nothing", "hostile")


class Page(HTMLParser):
    """What a page holds: gates of its two diagrams, tables, texts, attributes, and whether its tags balance."""

    def __init__(self, text):
        super().__init__()
        self.text = text
        self.diagrams, self.tables, self.attributes, self.tags = [], {}, [], []
        self.title, self.texts, self.open, self._gate, self._cell = "", [], [], None, None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attributes]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "svg" and values.get("class") == "circuit":
            self.diagrams.append([])
        if tag == "g" and "data-gate" in values:
            self._gate = {**values, "struck": False, "note": ""}
            self.diagrams[-1].append(self._gate)
        if tag == "path" and values.get("class") == "strike" and self._gate is not None:
            self._gate["struck"] = True
        if tag == "table":
            self._rows = self.tables.setdefault(values["id"], [])
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._cell = ""

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag
        if tag == "g":
            self._gate = None
        if tag in ("td", "th"):
            self._rows[-1].append(self._cell)
            self._cell = None

    def handle_data(self, data):
        self.texts.append(data)
        if self.open and self.open[-1] == "title":
            if "svg" in self.open:
                self._gate["note"] += data
            else:
                self.title += data
        if self._cell is not None:
            self._cell += data


def read(result, tmp_path, **options):
    qprune.report(result, tmp_path / "page.html", **options)
    return Page((tmp_path / "page.html").read_text(encoding="utf-8"))


@cache
def page_of(case, curve_of=None):
    """The page of a result, with the curve of another where one is named, made once."""
    with TemporaryDirectory() as folder:
        return read(pruned(case), Path(folder), **({} if curve_of is None else {"tradeoff": curve(curve_of)}))


# -- the page ---------------------------------------------------------------------------------------------------------


@pytest.mark.thinned(3)
@pytest.mark.parametrize("case", CASES)
def test_the_page_shows_every_gate_and_strikes_those_that_went(case):
    result, page = pruned(case), page_of(case)
    assert not page.open
    before, after = page.diagrams
    assert [int(g["data-gate"]) for g in before] == [entry.index for entry in result.plan]
    for gate, entry in zip(before, result.plan, strict=True):
        assert gate["struck"] == (entry.action in ("remove", "simplify"))
        assert entry.action in gate["class"].split()
        assert ("style" in gate) == (entry.distance is not None)
        if entry.distance is not None:
            assert f"--paint:{colour(entry.distance)};" in gate["style"]
        assert gate["note"].startswith(f"gate {entry.index}: {entry.gate}")
    assert len(after) == result.circuit.size()
    assert not any(gate["struck"] or "style" in gate for gate in after)


@pytest.mark.thinned(2)
@pytest.mark.parametrize("case", CASES)
def test_the_tables_say_what_the_result_says(case):
    result, page = pruned(case), page_of(case)
    assert [tuple(row) for row in page.tables["summary"]] == table_rows(result)
    header, *rows = page.tables["gates"]
    assert header[0] == "gate"
    assert len(rows) == len(result.plan)
    for row, entry in zip(rows, result.plan, strict=True):
        assert row[:6] == [
            str(entry.index),
            entry.gate,
            ", ".join(map(str, entry.qubits)),
            entry.role,
            FATES[entry.action],
            entry.detail,
        ]
        assert row[6] == ("" if entry.distance is None else f"{entry.distance:.3g}")
    text = "".join(page.texts)
    assert f"{result.certificate.largest_bound:.4g}" in text
    assert f"{result.certificate.largest_measured:.4g}" in text


@pytest.mark.thinned(2)
@pytest.mark.parametrize("case", CASES)
def test_the_page_holds_the_whole_certificate(case):
    result, page = pruned(case), page_of(case)
    held = next(text for text in page.texts if '"format": "qprune-certificate' in text)
    assert Certificate.from_json(held) == result.certificate


@pytest.mark.thinned(3)
@pytest.mark.parametrize("case", CASES)
def test_the_page_fetches_nothing_and_runs_nothing(case):
    page = page_of(case, "energy")
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href", "action", "data"):
            assert value.startswith("#"), (tag, name, value)
        assert not re.search(r"url\((?!#)", value or ""), value
    assert "default-src 'none'" in page.text
    assert "@import" not in page.text
    assert not re.search(r"(?:src|href)\s*=\s*[\"']?(?:https?:)?//", page.text)


def test_ids_are_unique_and_references_lead_to_them():
    page = page_of("energy", "energy")
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    for _, name, value in page.attributes:
        for target in re.findall(r"url\(#([^)]*)\)", value or "") + (
            [value[1:]] if name in ("href", "xlink:href") else []
        ):
            assert target in ids


def test_names_cannot_break_out(tmp_path):
    page = page_of("hostile")
    assert page.title.startswith(HOSTILE)
    assert any(HOSTILE in gate["note"] for gate in page.diagrams[0])
    titled = read(pruned("energy"), tmp_path, title=HOSTILE)
    assert titled.title.startswith(HOSTILE)
    assert "script" not in titled.tags


def test_everything_drawn_has_a_text_for_those_who_do_not_see_it():
    page = page_of("energy", "energy")
    roles = [(tag, value) for tag, name, value in page.attributes if name == "role" and value == "img"]
    labels = [value for tag, name, value in page.attributes if name == "aria-label" and tag in ("svg", "figure")]
    assert len(roles) == len(labels) == 6  # two circuits, the scale, three plots
    assert all(labels)
    hidden = [tag for tag, name, value in page.attributes if (name, value) == ("aria-hidden", "true")]
    assert page.tags.count("svg") == len(hidden) + 3
    assert page.tags.count("abbr") == len([1 for tag, name, value in page.attributes if tag == "abbr" and value])
    assert ("html", "lang", "en") in page.attributes


def test_the_curve_is_there_only_when_given():
    assert "Trade-off" not in "".join(page_of("energy").texts)
    assert "Trade-off" in "".join(page_of("energy", "energy").texts)


def test_the_page_says_when_it_was_written_and_with_what(tmp_path):
    days = [datetime.now(UTC).date().isoformat()]
    result = pruned("energy")
    text = "".join(read(result, tmp_path).texts)
    days.append(datetime.now(UTC).date().isoformat())
    assert any(f"Page written on {day}" in text for day in days)
    for name, version in result.certificate.versions.items():
        assert f"{name} {version}" in text
    assert "qprune.load(" in text


def test_the_same_result_gives_the_same_bytes(tmp_path):
    for name in ("a.html", "b.html"):
        qprune.report(pruned("class"), tmp_path / name)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


@pytest.mark.parametrize("path", ["missing/page.html", "folder"])
def test_a_page_that_cannot_be_written_leaves_nothing_behind(path, tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(BundleError, match="path must be a file that can be written"):
        qprune.report(pruned("energy"), tmp_path / path)
    assert [p.name for p in tmp_path.rglob("*")] == ["folder"]


def test_a_failed_page_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(BundleError, match="No space left"):
        qprune.report(pruned("energy"), path)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


@pytest.mark.thinned(9)
@pytest.mark.parametrize("case", ["hostile", "planted"])
def test_saved_results_have_the_page_and_loaded_ones_make_the_same(case, tmp_path):
    result = pruned(case)
    qprune.save(result, tmp_path / "out")
    qprune.report(qprune.load(tmp_path / "out"), tmp_path / "again.html")
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "out" / "report.html").read_bytes()


@pytest.mark.usefixtures("without_drawings")
def test_the_command_writes_the_page_with_its_curve(tmp_path):
    make().save(tmp_path / "bundle")
    command = ["prune", str(tmp_path / "bundle"), "--proven", "0.1"]
    assert cli.main([*command, "--out", str(tmp_path / "a"), "--tradeoff", "3"]) == 0
    assert "3 settings of budget" in (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    assert cli.main([*command, "--out", str(tmp_path / "b"), "--tradeoff", "0"]) == 0
    assert "Trade-off" not in (tmp_path / "b" / "report.html").read_text(encoding="utf-8")


def test_every_input_and_the_users_names_are_on_the_page(tmp_path):
    result = qprune.everywhere(pruned("planted"))
    names = {p.name: f"data[{k}]" for k, p in enumerate(result.original.input_params)}
    page = read(result, tmp_path, names=names)
    rows = page.tables["every"][1:]
    claim = result.certificate.every_input
    for row, output in zip(rows, claim.outputs, strict=True):
        assert row[0] == output.name
        assert output.upper <= float(row[1]) <= output.upper * 1.01 + 1e-300
        assert [part.split(" = ")[0] for part in row[-1].split(", ")] == list(names.values())
    noted = "".join(gate["note"] for gate in page.diagrams[0])
    assert "data[0]" in noted
    assert f"({result.original.input_params[0].name})" not in noted
    assert any(tag == "a" and value == "#gate-0" for tag, name, value in page.attributes)


# -- in a browser -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["planted", "hostile"])
def test_chromium_shows_it_without_scrolling_sideways(case, tmp_path):
    qprune.report(pruned(case), tmp_path / "page.html", tradeoff=curve(case))
    check_fits(tmp_path / "page.html")


# -- plots and drawings -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES)
def test_the_plot_shows_measured_below_bound(case):
    result = pruned(case)
    ax = mpl.figure.Figure().subplots()
    assert qprune.plot(result, ax) is ax
    lines = {line.get_label(): line for line in ax.get_lines()}
    bound, measured = (lines[name].get_ydata() for name in ("proven bound", "measured"))
    assert len(measured) == np.size(result.certificate.measured)
    assert np.all(np.diff(measured) >= 0)
    assert np.all(measured <= bound + 1e-9)
    assert max(measured) == result.certificate.largest_measured
    assert ax.get_ylabel() == deviation_name(result)
    assert ("budget" in lines) == (result.certificate.budget is not None)
    ticks = ax.yaxis.get_major_formatter()
    assert [ticks(value) for value in (0, 1e-3, 0.1, -10)] == ["0", "10⁻³", "10⁻¹", "−10¹"]


def test_a_plot_without_axes_makes_its_own():
    from matplotlib import pyplot

    ax = qprune.plot(pruned("energy"))
    pyplot.close(ax.figure)
    assert ax.get_lines()


def test_the_drawings_mark_what_went():
    from matplotlib import pyplot

    figures = qprune.draw(pruned("planted"))
    assert len(figures) == 2
    for figure in figures:
        pyplot.close(figure)


# -- the trade-off ----------------------------------------------------------------------------------------------------


@pytest.mark.thinned(3)
@pytest.mark.parametrize(("case", "setting"), [("energy", "budget"), ("class", "tolerance"), ("verified", "budget")])
def test_the_trade_off_prunes_the_same_task_at_other_settings(case, setting):
    result = pruned(case)
    points = trade_off(result, points=3)
    assert {p.setting for p in points} == {setting}
    assert [p.value for p in points] == sorted(p.value for p in points)
    for p in points:
        assert p.measured <= p.bound + 1e-9
        if setting == "budget":
            assert (p.measured if case == "verified" else p.bound) <= p.value
    assert points[-1].gates < points[0].gates
    ax = plot_tradeoff(result, points, mpl.figure.Figure().subplots())
    labels = [line.get_label() for line in ax.get_lines()]
    assert {"proven bound", "measured", "this result"} <= set(labels)


def test_the_trade_off_keeps_every_other_option():
    task = Task.load(CIRCUITS / "iris-4q")
    options = {
        "representatives": "class",
        "noise": 0.99,
        "costs": {"cx": 3.0},
        "strategy": "magnitude",
    }
    result = prune(task, Proven(0.3, aggregate="max"), **options)
    last = trade_off(result, points=2)[-1]
    assert last == trade_off_point(prune(task, Proven(2.0, aggregate="max"), **options))
    assert last != trade_off_point(prune(task, Proven(2.0)))


@pytest.mark.thinned(2)
@pytest.mark.parametrize("refit", [False, True])
def test_the_trade_off_stays_in_the_mode_of_the_result(refit):
    x, w = ParameterVector("x", 2), ParameterVector("w", 4)
    circuit = QuantumCircuit(2)
    for k in range(2):
        circuit.ry(x[0] + 0.3 * k, 0)
        circuit.rx(w[2 * k], 0)
        circuit.cx(k, 1 - k)
        circuit.ry(w[2 * k + 1], 1)
    inputs = np.random.default_rng(3).normal(size=(3, 1))
    task = Task(circuit, "ZX", inputs=inputs, input_params=[x[0]], weights=[0.02, 0.4, -0.3, 0.05])
    points = trade_off(prune(task, Measured(0.02, refit=refit), prune_encoding=True), points=3)
    assert [p.value for p in points] == pytest.approx(2 * np.logspace(-3, 0, 3))
    assert points == tuple(
        trade_off_point(prune(task, Measured(p.value, refit=refit), prune_encoding=True)) for p in points
    )
    assert points != tuple(trade_off_point(prune(task, Proven(p.value), prune_encoding=True)) for p in points)


@pytest.mark.parametrize("points", [1, True, 2.0])
def test_a_curve_needs_two_ends(points):
    with pytest.raises(OptionError, match="points must be an integer ≥ 2"):
        trade_off(pruned("energy"), points=points)
