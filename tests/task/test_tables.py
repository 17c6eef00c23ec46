"""DataFrames as inputs: columns by name, whatever library they come from; by pandas itself where it is installed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from small_task import GOOD, make

from qprune import Measured, TaskError

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # PennyLane warns of JAX versions
    import pennylane as qml

    import qprune.pennylane as qpp

ROWS = np.array(GOOD["inputs"])
NAMES = [p.name for p in GOOD["input_params"]]


class Table:
    """What pandas' and polars' tables have in common."""

    def __init__(self, columns):
        self._columns = columns
        self.columns = list(columns)

    def __getitem__(self, name):
        return self._columns[name]

    def __len__(self):
        return len(next(iter(self._columns.values())))

    def to_numpy(self):
        return np.column_stack(list(self._columns.values()))


class Series(np.ndarray):
    """Numbers with names."""

    def to_dict(self):
        return dict(zip(self.names, self.tolist(), strict=True))


def series(values, names):
    found = np.asarray(values).view(Series)
    found.names = names
    return found


@pytest.fixture(params=["stand-in", "pandas"])
def library(request):
    """What makes a table of a dictionary, and a series of values and names."""
    if request.param == "stand-in":
        return Table, series
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame, lambda values, names: pandas.Series(values, index=names)


def columns(*names, values=ROWS.T):
    return dict(zip(names, values, strict=True))


def test_columns_that_bear_the_parameters_names_go_by_them(library):
    table, _ = library
    mixed = columns("note", *reversed(NAMES), values=[["a", "b", "c"], *reversed(ROWS.T)])
    for given in (columns(*NAMES), columns(*reversed(NAMES), values=ROWS.T[::-1]), mixed):
        np.testing.assert_array_equal(make(inputs=table(given)).inputs, ROWS)
        np.testing.assert_array_equal(make().with_inputs(table(given)).inputs, ROWS)


def test_other_columns_go_by_their_order(library):
    table, _ = library
    np.testing.assert_array_equal(make(inputs=table(columns("length", "width"))).inputs, ROWS)


BAD = {
    "one name missing": (
        columns(NAMES[0], "width"),
        f"inputs must have a column for each.*no column '{NAMES[1]}' among",
    ),
    "too many": (columns("a", "b", "c", values=[*ROWS.T, ROWS[:, 0]]), "no column 'x0' among a, b, c"),
    "words": (
        columns(NAMES[0], NAMES[1], values=[ROWS[:, 0], ["a", "b", "c"]]),
        "inputs column 'x1' must be .* numbers",
    ),
    "a gap": (columns(*NAMES, values=[ROWS[:, 0], [0.1, np.nan, 0.2]]), r"inputs column 'x1'\[1\] is nan"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_table_that_does_not_fit_is_refused_by_the_names_of_its_columns(library, name):
    table, _ = library
    given, message = BAD[name]
    with pytest.raises(TaskError, match=message):
        make(inputs=table(given))


def test_two_columns_of_one_name_are_refused():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(TaskError, match="two columns 'a'"):
        make(inputs=pandas.DataFrame(ROWS, columns=["a", "a"]))


def test_a_series_of_weights_goes_by_its_names(library):
    _, named = library
    names = [p.name for p in make().weight_params]
    given = named(GOOD["weights"][::-1], names[::-1])
    np.testing.assert_array_equal(make(weights=given).weights, GOOD["weights"])
    np.testing.assert_array_equal(make(weights=named(GOOD["weights"], [0, 1])).weights, GOOD["weights"])
    with pytest.raises(TaskError, match=f"missing {names[1]}"):
        make(weights=named(GOOD["weights"], [names[0], "other"]))


def test_a_qnode_takes_tables_too(library):
    table, _ = library

    @qml.qnode(qml.device("default.qubit", wires=2))
    def node(inputs, weights):
        qml.AngleEmbedding(inputs, wires=range(2))
        qml.BasicEntanglerLayers(weights, wires=range(2))
        return qml.expval(qml.Z(0))

    weights = np.array([[0.02, 0.3]])
    plain = qpp.prune(node, Measured(0.1), inputs=ROWS, weights=weights)
    found = qpp.prune(node, Measured(0.1), inputs=table(columns("a", "b")), weights=weights)
    assert found.certificate == plain.certificate
