"""The interface of strategies: what they may propose, what a limit makes of it, names, other packages' strategies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib import metadata
from typing import ClassVar

import numpy as np
import pytest
from helpers import deviation, state
from planted import BUDGET, evidence_of, rivals_that_cancel, small, trained

import qprune
from qprune import Measured, OptionError, Proven, Threshold, strategies
from qprune.cli import main
from qprune.limits.progress import OutOfTime
from qprune.selection.strategies import STRATEGIES
from qprune.selection.strategies.base import Proposal, Strategy, taken_in_turn

QUICK = ("coarse-to-fine", "mip")  # one with sets made by the oracle, one with sets made by effects
SEEN = [name for name in STRATEGIES if not STRATEGIES[name].replaces]  # those that look at outputs


@dataclass(frozen=True)
class Told(Strategy):
    """Proposes what it is told."""

    order: tuple = ()
    sets: tuple = ()
    among: int | None = None
    name: ClassVar[str] = "told"

    def propose(self, evidence):
        if self.among not in (None, len(evidence.candidates)):
            return Proposal()
        return Proposal(self.order, self.sets)


def test_sets_come_first_then_the_order_then_the_rest():
    """The first set that fits; what of the order fits in one go; then each that fits by itself."""
    prices = {10: 4, 11: 1, 12: 5, 13: 2, 14: 1, 15: 3}

    def fits(gone):
        return sum(prices[k] for k in gone) <= 7

    places = list(prices)
    assert taken_in_turn(Proposal(range(6), [[0, 2], [0, 1], [3]]), places, fits) == [10, 11, 13]
    assert taken_in_turn(Proposal([2, 0, 5, 4, 1]), places, fits) == [12, 14, 11]
    assert taken_in_turn(Proposal(), places, fits) == []


@pytest.mark.parametrize("kind", [Proven, Measured])
def test_what_a_strategy_leaves_out_comes_after(kind):
    """An empty proposal prunes as much as the distances allow; nothing is lost by silence."""
    task = small(1)
    said = qprune.prune(task, kind(BUDGET), strategy=Told())
    assert len(said.certificate.replaced) > 0


@pytest.mark.parametrize(
    "told",
    [Told(order=(0, 0)), Told(order=(99,)), Told(order=(-1,)), Told(sets=((1, 1),)), Told(sets=((0,), (0, 55)))],
)
def test_nonsense_is_refused_by_name(told):
    with pytest.raises(OptionError, match=r"strategy 'told' must propose indices of the \d+ candidates, each at most"):
        qprune.prune(small(0), Proven(BUDGET), strategy=told)


@pytest.mark.thinned(3)
@pytest.mark.parametrize("name", SEEN)
def test_the_limit_is_kept_and_the_seed_decides(name):
    """Whatever is proposed: measured and proven budgets hold on dense states, and the same seed says the same."""
    task = small(2)
    for limit in (Measured(BUDGET), Proven(BUDGET)) if name in QUICK else (Measured(BUDGET),):
        result = qprune.prune(task, limit, strategy=name, seed=3)
        for i in range(task.num_samples):
            before, after = state(task.bound_circuit(i)), state(result.task.bound_circuit(i))
            assert deviation(task, before, after).max() <= BUDGET + 1e-12
        if isinstance(limit, Proven):
            assert result.certificate.largest_bound <= BUDGET
    proposals = [STRATEGIES[name]().propose(evidence_of(task, seed=7)) for _ in range(2)]
    assert list(proposals[0].order) == list(proposals[1].order)
    assert [list(s) for s in proposals[0].sets] == [list(s) for s in proposals[1].sets]


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.soak) for n in SEEN])
def test_refit_may_follow_and_records_come_back(name):
    """Weights move and the budget holds; the certificate's record makes the same strategy again."""
    task = trained()
    result = qprune.prune(task, Measured(BUDGET, refit=True), strategy=name)
    for i in task.selected:
        before, after = state(task.bound_circuit(i)), state(result.task.bound_circuit(i))
        assert deviation(task, before, after).max() <= BUDGET + 1e-9
    record = result.certificate.options["strategy"]
    assert record["name"] == name
    assert strategies.strategy_from_record(record) == STRATEGIES[name]()


def test_what_cancels_goes_together_only_by_sets():
    """A set goes whole where no order gets at it: gate by gate, each is beyond the budget."""
    task = rivals_that_cancel()
    evidence = evidence_of(task)
    pair = [k for k, place in enumerate(evidence.places) if evidence.sites[place].name == "ry"][1:]
    assert min(evidence.deviation([k]) for k in pair) > 5 * BUDGET
    assert evidence.deviation(pair) < BUDGET
    together = qprune.prune(task, Measured(BUDGET), strategy=Told((), (tuple(pair),), len(evidence.places)))
    assert {evidence.places[k] for k in pair} <= {e.site for e in together.certificate.replaced}


def test_time_ends_a_strategy_too():
    """The limit's watch is asked before every deviation, so that no search of a strategy outlasts it."""
    whole = evidence_of(small(0))
    asked = []

    def check():
        asked.append(None)
        if len(asked) > 5:
            raise OutOfTime

    cut = replace(whole, around=replace(whole.around, check=check))
    with pytest.raises(OutOfTime):
        strategies.Elimination().propose(cut)
    assert len(asked) == 6
    result = qprune.prune(small(0), Measured(BUDGET), strategy="elimination", time_limit=1e-9)
    assert result.certificate.largest_measured <= BUDGET


def test_threshold_takes_all_that_is_admissible_whoever_proposes():
    task = small(4)
    found = [{e.site for e in qprune.prune(task, Threshold(0.1), strategy=n).certificate.replaced} for n in SEEN[:2]]
    assert found[0] == found[1] == {e.site for e in qprune.prune(task, Threshold(0.1)).certificate.replaced}


# -- names --------------------------------------------------------------------------------------------------------


class Entry:
    """As importlib.metadata has them."""

    def __init__(self, name, loaded):
        self.name, self.loaded = name, loaded

    def load(self):
        return self.loaded


def test_other_packages_register_theirs(monkeypatch):
    """By entry point: known by name, offered in messages, made again from records; junk is named."""
    entries = [Entry("told", Told), Entry("junk", 3)]
    monkeypatch.setattr(
        "qprune.selection.strategies.registry.entry_points",
        lambda group: entries if group == "qprune.strategies" else [],
    )
    assert strategies.strategy_names()[-2:] == ("junk", "told")
    assert qprune.prune(small(0), Proven(BUDGET), strategy="told").certificate.options["strategy"]["name"] == "told"
    assert strategies.strategy_from_record(Told((1,), ()).record()) == Told((1,), ())
    with pytest.raises(OptionError, match=r"entry point 'junk' of qprune.strategies must name a class derived from"):
        qprune.prune(small(0), Proven(BUDGET), strategy="junk")
    with pytest.raises(OptionError, match=r"'told', or an object of qprune.strategies, got 'tld'"):
        qprune.prune(small(0), Proven(BUDGET), strategy="tld")


def test_the_group_is_the_one_that_documents_name():
    assert not list(metadata.entry_points(group="qprune.strategies"))  # nothing registers itself in this environment


def test_fields_on_the_command_line(tmp_path, capsys):
    """A name, a name with fields, a wrong name, a wrong field, a wrong value."""
    folder = tmp_path / "bundle"
    small(0).save(folder)
    base = ["prune", str(folder), "--proven", "0.05", "--strategy"]
    for good in ("brain-surgeon", "brain-surgeon:damping=0.1", "mip:exact=false,tighten=[1,0.5]"):
        assert main([*base, good]) == 0, good
    capsys.readouterr()
    for bad, why in (
        ("luck", "must be one of"),
        ("mip:depth=3", "unexpected keyword argument 'depth'"),
        ("mip:exact=2", "exact must be True or False"),
        ("brain-surgeon:damping=-1", "damping must be a number from 0"),
    ):
        with pytest.raises(SystemExit) as stopped:
            main([*base, bad])
        assert stopped.value.code == 2
        assert why in capsys.readouterr().err


@pytest.mark.parametrize("name", SEEN)
def test_strategies_are_records(name):
    """Equal by their fields, shown as they are made, unchangeable."""
    made = STRATEGIES[name]()
    assert made == STRATEGIES[name]()
    assert eval(repr(made), {STRATEGIES[name].__name__: STRATEGIES[name]}) == made
    assert STRATEGIES[name].from_record(made.record()) == made
    with pytest.raises(AttributeError):
        made.name = "other"
    assert np.array_equal(sorted(vars(made)), sorted(k for k in made.record() if k != "name"))
