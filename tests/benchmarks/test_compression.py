"""Rows of compression: chosen by the selection split alone, controls of the same size, resumed; tables add up."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from helpers import state

from benchmarks.__main__ import main
from benchmarks.compression import points, report, run
from benchmarks.compression.beforehand import EXPLAINED, known_beforehand
from benchmarks.compression.controls import control
from benchmarks.compression.points import SAMPLES, Point, at_random, begun, by_magnitude, cheapest, without
from benchmarks.records import append, rows_of
from benchmarks.tasks.catalogue import CHEMICAL, TASKS
from benchmarks.tasks.data import Split
from benchmarks.tasks.training import outputs
from qprune import Measured
from qprune.gates.sites import sites_of
from qprune.simulators.engine import Network

BARS = TASKS["bars-2x2-4q"]


@pytest.fixture(scope="module")
def small():
    """Two layers on bars and stripes with weights of no meaning."""
    task = BARS.family().network(2)
    return task.with_weights(np.random.default_rng(0).uniform(-2, 2, len(task.weights)))


@pytest.mark.parametrize("start", range(3))
def test_controls_are_as_large_as_the_pruned_network(small, start):
    """In parameters and two-qubit gates, encoded alike; fewer layers never have fewer parameters."""
    sites = sites_of(small)
    pruned = without(small, sites, {5, 8, 11})  # rotations that the output sees
    same, drawn = (control(BARS, pruned, kind, start) for kind in ("same structure", "random structure"))
    assert len(same.weights) == len(drawn.weights) == len(pruned.weights)
    assert drawn.circuit.num_nonlocal_gates() == pruned.circuit.num_nonlocal_gates()
    assert [g.name for g in drawn.circuit.data[:4]] == ["ry"] * 4
    layers = control(BARS, pruned, "fewer layers", start)
    assert len(pruned.weights) <= len(layers.weights) <= len(small.weights)
    other = control(BARS, pruned, "random structure", start + 1)
    assert [(g.name, g.qubits) for g in other.circuit] != [(g.name, g.qubits) for g in drawn.circuit]


def test_an_encoding_by_cx_counts_as_encoding():
    known = TASKS["mnist-36-amplitudes-4q"]
    task = known.family().network(1)
    drawn = control(known, task, "random structure", 0)
    assert drawn.circuit.num_nonlocal_gates() == task.circuit.num_nonlocal_gates()


def point(size, selection, test):
    task = BARS.family().network(size)
    return Point(task, "", True, 0, {"selection": selection, "test": test})


def test_the_test_split_chooses_nothing():
    points = [point(4, 0.9, 0.1), point(2, 0.89, 1.0), point(1, 0.5, 1.0)]
    assert cheapest(points, 0.9) is points[0]
    assert cheapest(points, 0.89) is points[1]
    assert cheapest(points, 0.95) is points[0]  # none is good enough: the original


@pytest.mark.parametrize(
    ("name", "cut", "choosing"),
    [
        ("lih-hardware-6q", False, 0),
        ("lih-hardware-6q", True, 0),
        ("bars-2x2-4q", False, 999),
        ("bars-2x2-4q", False, 1000),
    ],
)
def test_searches_that_are_left_begin_anew_where_little_fits_by_chance(monkeypatch, name, cut, choosing):
    """Each by a seed of its own, and trained on; not where few samples choose, nor where the first was cut."""
    known, seeds, trained = TASKS[name], [], []
    if choosing:
        whole = known.data()
        few = Split(whole.selection.inputs[:choosing], whole.selection.labels[:choosing])
        known = replace(known, data=lambda: replace(whole, selection=few))
    good, task = known.limits(1.0 if known.data else 0.0), point(1, 0.0, 0.0).task
    scores = dict.fromkeys(("selection", "test"), max(good.values()))

    def pruned(_, __, limit, seed, ___):
        seeds.append(seed)
        return Point(task, repr(limit), False, 0, scores, None, cut)

    def trained_on(_, circuit, __):
        trained.append(circuit)
        return replace(circuit, how="trained on")

    monkeypatch.setattr(points, "pruned", pruned)
    monkeypatch.setattr(points, "trained_on", trained_on)
    monkeypatch.setattr(points, "rewritten", lambda _, circuit: circuit)
    original = Point(point(3, 0.0, 0.0).task, "original", False, 0, scores)
    found = points.compressed(known, original, 7, 1.0, searches=6)
    anew = [seed for seed in seeds if seed != 7]
    assert len(anew) == len(set(anew))
    assert bool(anew) is (choosing != 999 and not cut)
    assert sum(each.how == "trained on" for each in found) == len(trained)
    assert len(trained) >= len(seeds) - len(points.steps_of(known))


def test_removal_leaves_the_other_gates_as_they_are(small):
    """Against states of the circuit written without the gates."""
    sites = sites_of(small)
    gone = {k for k, site in enumerate(sites) if site.role == "trainable" and k % 3 == 0}
    smaller = without(small, sites, gone)
    by_hand = small.circuit.copy_empty_like()
    for k, instruction in enumerate(small.circuit.data):
        if k not in gone:
            by_hand.append(instruction)
    inputs = [0.3, -0.4, 1.2, 2.0]
    values = []
    for task, circuit in ((smaller, smaller.circuit), (small, by_hand)):
        numbers = {p: task.named_weights[p.name] for p in circuit.parameters if p.name in task.named_weights}
        numbers |= {p: inputs[int(p.name[2:])] for p in circuit.parameters if p.name.startswith("x_")}
        final = state(circuit.assign_parameters(numbers))
        values.append(np.vdot(final, small.observables[0].to_matrix() @ final).real)
    assert values[0] == pytest.approx(values[1], abs=1e-10)


def test_orders(small):
    """Magnitudes rise and are those of angles within a turn; two-qubit gates have none; a draw repeats."""
    task = small.with_weights(np.where(np.arange(len(small.weights)) == 5, 2 * np.pi + 0.001, small.weights))
    network = Network(BARS.on(task, "train", 8), sites_of(task))
    places = [k for k, site in enumerate(sites_of(task)) if site.role != "encoding"]
    order = by_magnitude(network, places)
    assert sites_of(task)[order[0]].coordinate is not None
    assert order[0] == 4 + 5  # after the four gates of the encoding
    assert len(order) == len(task.weights)
    drawn = [at_random(seed)(network, places) for seed in (0, 0, 1)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert sorted(drawn[0]) == places


def test_what_is_known_beforehand(small):
    """Against a threshold found by looking at every one, and singular values of a dense Jacobian by differences."""
    found = known_beforehand(BARS, small)
    train, test = BARS.split("train"), BARS.split("test")
    best = max(
        ((sign * np.where(train.inputs[:, j] > cut, 1, -1) == train.labels).mean(), j, cut, sign)
        for j in range(4)
        for cut in train.inputs[:, j]
        for sign in (1, -1)
    )
    _, j, cut, sign = best
    by_hand = float((sign * np.where(test.inputs[:, j] > cut, 1, -1) == test.labels).mean())
    assert found["one_input"] == pytest.approx(by_hand, abs=0.01)  # a tree cuts halfway between samples
    task, step, columns = BARS.on(small, "train", SAMPLES), 1e-5, []
    for k in range(len(small.weights)):
        moved = [small.weights + s * step * np.eye(len(small.weights))[k] for s in (1, -1)]
        columns.append((outputs(task.with_weights(moved[0])) - outputs(task.with_weights(moved[1]))).ravel())
    squares = np.linalg.svd(np.array(columns).T, compute_uv=False) ** 2
    shares = np.cumsum(squares) / squares.sum()
    assert found["directions"] == np.argmax(shares >= EXPLAINED) + 1
    assert found["weights"] == len(small.weights)


def test_levels():
    """Falls of a score; for a molecule chemical accuracy, whatever the original reaches."""
    assert BARS.limits(0.9) == pytest.approx({"no loss": 0.9, "1 point": 0.89, "3 points": 0.87})
    assert TASKS["lih-uccsd-6q"].limits(-1e-5) == {"chemical accuracy": -CHEMICAL}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Rows of one quick run by two ways, in two goes, with one budget and one round."""
    target = tmp_path_factory.mktemp("compression")
    out, told = target / "compression.jsonl", []
    with pytest.MonkeyPatch.context() as patch:
        (name,) = run.QUICK
        patch.setitem(TASKS, name, replace(TASKS[name], budgets=TASKS[name].budgets[:1]))
        run.run(out, quick=True, ways=["magnitude"], step=told.append)
        run.run(out, quick=True, ways=["magnitude", "qprune"], patience=0.5, searches=1, step=told.append)
    assert len(told) == len(rows_of(out)) == 2  # what was there was not measured again
    return target


def test_tasks_at_once_make_the_rows_of_tasks_in_turn(tmp_path):
    """In processes of their own: the same circuits and scores, all of them, once."""
    found = []
    for jobs in (1, 2):
        out = tmp_path / f"{jobs}.jsonl"
        run.run(out, tasks=["h2-uccsd-4q"], ways=["magnitude"], seeds=2, jobs=jobs, step=lambda _: None)
        found.append({row["config"]["seed"]: (row["points"], row["levels"]) for row in rows_of(out)})
    assert sorted(found[0]) == [0, 1]
    assert found[0] == found[1]


def test_rows_keep_their_levels(folder):
    for row in rows_of(folder / "compression.jsonl"):
        points, known = row["points"], TASKS[row["config"]["task"]]
        original = begun(known, known.original(row["config"]["seed"]))
        assert points[0]["gates"] == original.task.circuit.size()
        for level, least in known.limits(points[0]["selection"]).items():
            chosen = points[row["levels"][level]]
            assert chosen["selection"] >= least
            assert chosen["gates"] <= points[0]["gates"]
        assert all("commit" in row and row["benchmark"] == run.NAME for _ in points)


def test_controls_had_as_many_steps_and_parameters(folder):
    (ours,) = [row for row in rows_of(folder / "compression.jsonl") if row["config"]["way"] == "qprune"]
    for place, kinds in ours["controls"].items():
        pruned = ours["points"][int(place)]
        for kind in ("same structure", "random structure"):
            assert {c["parameters"] for c in kinds[kind]} == {pruned["parameters"]}
            assert {c["two_qubit_gates"] for c in kinds[kind]} == {pruned["two_qubit_gates"]}


def test_a_circuit_that_is_best_at_several_levels_counts_once(folder):
    (ours,) = [row for row in rows_of(folder / "compression.jsonl") if row["config"]["way"] == "qprune"]
    (place,) = ours["levels"].values()
    twice = {**ours, "levels": {"one": place, "other": place}}
    counts = [[int(cell) for cell in cells[:3]] for _, *cells in report.verdicts([twice])[1]]
    assert [sum(each) for each in counts] == [1, 1, 1]


def test_tables_are_made_of_the_rows(folder):
    assert main(["tables", "--results", str(folder)]) == 0
    text = (folder / "compression.md").read_text(encoding="utf-8")
    (ours,) = [row for row in rows_of(folder / "compression.jsonl") if row["config"]["way"] == "qprune"]
    (place,) = ours["levels"].values()
    before, after = (ours["points"][k]["gates"] for k in (0, place))
    assert f"| h2-uccsd-4q | chemical accuracy | 1 | {before} → {after} | {before / after:.3g} |" in text
    assert (
        f"stopped by its time, {ours['patience']:g} s.\nSearches beyond the first from the original: 1. One seed"
        in text
    )
    hours = sum(row["seconds"] for row in rows_of(folder / "compression.jsonl")) / 3600
    assert f"One seed of 1 tasks took {hours:.1f} hours by the clock" in text
    for heading in (report.LABELS, report.SILENT, report.CONTROL, report.BASELINES):
        assert heading in text


def test_aims_are_met_or_missed_by_the_level_of_one_point():
    """Rows by hand: a tenth of the gates, at one point and at more; a molecule's two-qubit gates; means over seeds."""

    def row(task, after, test, levels=("1 point",)):
        before = {"gates": 200, "two_qubit_gates": 50, "test": 0.9}
        left = {"gates": after, "two_qubit_gates": 20, "test": test}
        config = {"task": task, "seed": 0, "way": run.OURS}
        return {"config": config, "points": [before, left], "levels": dict.fromkeys(levels, 1)}

    rows = [row("mnist-01-6q", 20, 0.89), row("mnist-36-6q", 21, 0.9), row("bars-2x2-4q", 20, 0.885)]
    rows.append(row("lih-uccsd-6q", 100, 0.9, ["chemical accuracy"]))
    rows += [row("mnist-49-6q", 10, 0.9), row("mnist-49-6q", 40, 0.9)]  # 25 of 200 on the mean
    mnist, bars, molecule, scratch = report.aims(rows)[1]
    assert mnist[1:] == (
        "mnist-01-6q: 10 times, 1 points lost",
        "mnist-36-6q: 9.52 times, nothing lost; mnist-49-6q: 8 times, nothing lost",
    )
    assert bars[1:] == ("", "bars-2x2-4q: 10 times, 1.5 points lost")
    assert molecule[1:] == ("lih-uccsd-6q: 2.5 times", "")
    assert scratch[1] == ""  # nothing was trained from scratch


def test_what_a_task_was_given_more_of_is_said():
    given = [("a", 15.0), ("b", 15.0), ("b", 15.0), ("c", 60.0)]
    rows = [{"config": {"task": task, "way": "qprune"}, "patience": seconds} for task, seconds in given]
    assert (
        report.effort([*rows, {"config": {"task": "d", "way": "random"}}], "patience", " s", 1.0) == "15 s, 60 s on c"
    )
    assert report.effort(rows, "searches", "", 12) == "12"


def made(how, gates, selection, every_input=None, labels=False):
    counts = {"gates": gates, "two_qubit_gates": 1, "parameters": 3, "cost": gates, "labels": labels, "test": selection}
    return {"how": how, "selection": selection, "every_input": every_input, **counts}


def test_without_labels_the_original_is_pruned_once():
    """Not what came of smaller circuits, of other seeds or of training; and how many claims the largest is of."""
    known = [made(points.ORIGINAL, 100, 0.9), made("mild", 50, 0.9, 0.2), made("mild", 40, 0.9, labels=True)]
    rows = [
        {"points": [*known, made("bold", 30, left), made("mild", 20, 0.9)], "levels": {"no loss": 4, "1 point": 4}}
        for left in (0.85, 0.89)
    ]
    rows = [{**row, "config": {"task": "mnist-01-6q", "seed": seed, "way": run.OURS}} for seed, row in enumerate(rows)]
    assert [[point["gates"] for point in points.once(row["points"])] for row in rows] == [[100, 50, 30]] * 2
    none, one = report.without_labels(rows)[1]
    assert none[:5] == ("mnist-01-6q", "no loss", "2", "100 → 50 ± 0", "2")
    assert none[-1] == "0.2"
    assert one[3] == "100 → 40 ± 14"
    assert one[-1] == "0.2, 1 of 2"


def test_a_limit_for_every_input_is_of_the_original():
    """Of what is pruned once more a claim would say how far it is from the smaller circuit, not from the original."""
    known = TASKS["bars-2x2-4q"]
    task = known.family().network(1)
    task = task.with_weights(np.random.default_rng(0).normal(scale=0.3, size=len(task.weights)))
    first = points.pruned(known, begun(known, task), Measured(0.3, window=0), 0, 5.0)
    assert first.every_input > 0
    for how, known_there in ((first.how, False), (points.REWRITTEN, True)):
        again = points.pruned(known, replace(first, how=how), Measured(0.3, window=0), 0, 5.0)
        assert (again.every_input is not None) is known_there


def test_pages_without_a_run_of_ours(folder, tmp_path):
    """As while rows of other orders alone are there."""
    others = [row for row in rows_of(folder / "compression.jsonl") if row["config"]["way"] != run.OURS]
    append(tmp_path / "compression.jsonl", others[0])
    assert main(["tables", "--results", str(tmp_path)]) == 0
    assert "Of 0 runs of qprune" in (tmp_path / "compression.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(("option", "value"), [("--patience", "-1"), ("--patience", "inf"), ("--searches", "-3")])
def test_options_out_of_range_are_refused(option, value, capsys):
    with pytest.raises(SystemExit):
        main(["compression", option, value])
    assert f"argument {option}: must be" in capsys.readouterr().err


def test_how_many_rows_are_added_is_said(tmp_path, capsys):
    """Not that some were where the file held all of them."""
    with pytest.MonkeyPatch.context() as patch:
        empty = {"benchmark": run.NAME, "points": [], "seconds": 0.0}
        patch.setattr(run, "_row", lambda *given: {**empty, "config": given[2]})
        call = ["compression", "--quick", "--ways", "magnitude", "random", "--out", str(tmp_path / "rows.jsonl")]
        told = [main(call) or capsys.readouterr().out.splitlines()[-1] for _ in range(2)]
    assert told[0].startswith("2 rows added")
    assert told[1] == f"0 rows added to {tmp_path / 'rows.jsonl'}"
