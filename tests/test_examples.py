"""The examples in short form: what they print must hold."""

import pytest

from examples import classification, generative, vqe


def test_classification(tmp_path):
    rows = classification.main(steps=2, out=tmp_path / "demo")
    table = {row[0]: dict(zip(classification.HEADER[1:], row[1:], strict=True)) for row in rows}
    assert float(table["pruned"]["accuracy"]) >= float(table["trained"]["accuracy"]) - 0.02
    assert int(table["pruned again"]["gates"]) <= int(table["pruned"]["gates"]) < int(table["trained"]["gates"])
    assert float(table["pruned"]["measured"]) <= float(table["pruned"]["proven"]) <= classification.BUDGET
    names = {path.name for path in (tmp_path / "demo").iterdir()}
    assert {"report.html", "certificate.json", "before.png", "after.png", "table.md"} <= names


def test_vqe_stays_within_chemical_accuracy():
    numbers = vqe.main(short=True)["H2"]
    assert numbers["gates after"] < numbers["gates before"]
    change = abs(numbers["error after (mHa)"] - numbers["error before (mHa)"])
    assert change <= 1000 * vqe.BUDGET
    assert numbers["error after (mHa)"] < vqe.CHEMICAL_ACCURACY
    assert change <= numbers["proven change (mHa)"]


def test_generative_stays_within_its_bound():
    numbers = generative.main(short=True)["2x2"]
    assert numbers["gates after"] < numbers["exact"]
    assert numbers["TV by pruning"] <= numbers["proven"] <= generative.BUDGET
    assert numbers["TV to target after"] <= numbers["TV to target before"] + numbers["TV by pruning"] + 1e-12


@pytest.mark.parametrize(("rows", "columns", "images"), [(2, 2, 6), (2, 3, 10), (3, 3, 14)])
def test_bars_and_stripes(rows, columns, images):
    target = generative.bars_and_stripes(rows, columns)
    assert (target > 0).sum() == images
    assert target.sum() == pytest.approx(1)
