"""`prune`: check, look, choose, certify."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace

from qiskit.primitives import BaseEstimatorV2

from qprune._checks import checked_flag, is_number, plain
from qprune.errors import OptionError, TaskError
from qprune.exact import absorption
from qprune.exact.pauli import total_cost
from qprune.gates.costs import Costs
from qprune.limits.base import Limit, Rewritten
from qprune.limits.certify import certify
from qprune.limits.finished import Finished, finished
from qprune.limits.portfolio import chosen_by_members
from qprune.limits.prepared import Prepared, prepare
from qprune.limits.progress import INTERRUPTED
from qprune.limits.settings import AUTO, GATES, PAULI, Settings
from qprune.limits.suggest import suggest
from qprune.limits.threshold import DEFAULT_LIMIT
from qprune.noise.calibration import Noise
from qprune.results.result import PruneResult, recorded
from qprune.selection.strategies import Strategy
from qprune.simulators.simulator import Simulator
from qprune.task.checked import checked_task
from qprune.task.task import Task


def prune(
    task: Task,
    limit: Limit = DEFAULT_LIMIT,
    *,
    strategy: str | Strategy = "q-iprune",
    noise: Noise = None,
    representatives: str = "identity",
    costs: Costs = None,
    prune_encoding: bool = False,
    resynthesis: bool = False,
    couplings: str | None = None,
    form: str = GATES,
    absorb: bool = False,
    simulator: str | Simulator | BaseEstimatorV2 = "statevector",
    executor: Executor | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    progress: bool | None = None,
) -> PruneResult:
    """Prune a trained circuit once, as far as a limit allows.

    Exact simplifications come first and are reported apart. Then a gate G_k may be replaced by a representative A of
    its subgroup, compared with it by the q-overlap distance d_q = √(2 − 2|Tr[D_η(ρ_k) G_k†A]|), aggregated over the
    ensemble. The limit says which set of gates goes, and how it is known that this is not too much.

    Args:
        task: Circuit, observables, inputs and weights.
        limit: How far: `Threshold(ε)` (the paper's rule, default with ε = 0.05), `Proven(budget)`,
            `Measured(budget, refit=…)`, `Everywhere(budget, refit=…)` (for every input of the task's domain),
            `Accuracy(loss, refit=…)` or `UnderNoise(device, refit=…)`.
        strategy: Who proposes what goes, while the limit decides: "q-iprune" (the limit's own search), "mip", "qubo",
            "brain-surgeon" or another of docs/strategies.md by name, or an object of `qprune.strategies` with
            hyper-parameters. Under `Threshold` all that are admissible go, whoever proposes.
        noise: λ in [0, 1], or anything else that `calibrate` takes, or what it returned: deforms the geometry and
            widens the tolerance; read from a noise model, it sets the costs too.
        representatives: "identity"; "clifford": also the Clifford points of the class; "class": also medoids of
            the class, whose followers share one free parameter; "local": also, for two-qubit gates without inputs,
            the pairs of one-qubit gates nearest on the task's states. For `Threshold` and `Proven`.
        costs: Cost by gate name, or a callable on a `Site`; default two-qubit gates 10, rotations 1, rotations about
            Z 0.1. Gates not named keep their default. With a noise model the default is what removal saves: r_k.
        prune_encoding: Whether gates that an input enters may be replaced too.
        resynthesis: At last, runs of gates on two qubits without inputs become the circuit with the fewest CX for what
            they do at the weights' values, where that takes fewer. Exact, but their weights become numbers: they are
            None in `weight_map` and named in the plan and the report. A weight that moves other gates too stays free
            for those, while the run keeps its old value.
        couplings: Exact resynthesis in Pauli form besides, which may take longer than the pruning, and pay for fewer CX
            with more rotations, as `costs` say. Two-qubit gates then go where the circuit has some already ("circuit",
            so that a routed circuit stays routed) or on "any" two qubits, which saves more. None: not done.
        form: What is pruned. "gates": the circuit as it is. "pauli": what exact resynthesis in Pauli form made of it;
            a rotation about a word then counts with the entangling gates that stand there for it, which resynthesis may
            save at last, and couplings None is "circuit". "auto": both in turn, a time limit halved, and the cheaper of
            the two results by `costs`; its certificate names the one.
        absorb: Whether Clifford gates at the end go first and other Pauli words are measured, as `qprune.absorb` does:
            the result's `original` is that task, and measures what its circuit must; `given` is the task given here.
        simulator: `Statevector(threads=…)`, Aer's; `MatrixProductState()`, for circuits too wide for that and of low
            entanglement; `OnDevice(estimator, delta=…)`, which measures: then distances are intervals, and the bound
            holds but for a probability delta (T8). Or a name, or an EstimatorV2 primitive.
        executor: Simulates the samples on its workers: a `ProcessPoolExecutor`, Dask's `client.get_executor()`, an
            `MPIPoolExecutor`, …. The result is that of the same call without it, to the last bit, and a worker that
            dies costs time only. What refit and windows do stays in this process.
        seed: For strategies that draw, and for the inputs that refit mixes from the ensemble, ≥ 0.
        time_limit: Seconds after which the search for gates to remove ends, > 0; the best circuit so far is measured
            and certified as any other. Default: no limit. An interrupt (Ctrl-C) during the search does the same.
        progress: Show how far a search is; default: where a person watches, once it has taken seconds.

    Returns:
        The pruned circuit with its plan and certificate.

    Raises:
        OptionError: An argument is out of its range, or does not go with the limit.
        TaskError: The circuit does not fit into memory; or the task reads probabilities, with absorb.

    Source: THEORY T1, T2, T4, T5, T9; arXiv:2512.24019.

    Example:
        >>> from qiskit import QuantumCircuit
        >>> from qprune import Proven
        >>> circuit = QuantumCircuit(2)
        >>> _ = circuit.ry(0.01, 0), circuit.h(1), circuit.cx(1, 0)
        >>> prune(Task(circuit, "IZ"), Proven(0.05)).circuit.size()
        2
    """
    settings = Settings(
        strategy=strategy,
        noise=noise,
        representatives=representatives,
        costs=costs,
        prune_encoding=prune_encoding,
        resynthesis=resynthesis,
        couplings=couplings,
        form=form,
        simulator=simulator,
        executor=executor,
        seed=seed,
        time_limit=time_limit,
        progress=progress,
    )
    task, absorb = checked_task(task), checked_flag(absorb, "absorb")
    if limit is None:
        raise OptionError(f"limit must say how far pruning may go; qprune.suggest(task) says: {suggest(task)}")
    if not absorb:
        return pruned_under(checked_limit(limit), task, settings)
    if task.observables is None:
        raise TaskError(
            "absorb measures other Pauli words, and the task reads probabilities: give it observables, such as "
            "['ZI', 'IZ'], or prune qprune.absorb(task).task, whose outcomes are permuted"
        )
    absorbed = absorption.absorb(task, couplings=settings.couplings, costs=settings.costs).task
    return recorded(replace(pruned_under(checked_limit(limit), absorbed, settings), given=task))


def pruned_under(limit: Limit, task: Task, settings: Settings) -> PruneResult:
    """`prune` with its arguments converted and checked: check together, look, choose, certify."""
    settings = limit.with_noise(settings)
    limit.check(task, settings)
    settings.ordering.check(task)
    found = _chosen(limit, task, settings)
    return certify(found[0], limit, *found[1:])


def _chosen(limit: Limit, task: Task, settings: Settings) -> tuple[Prepared, Rewritten, Finished]:
    """The circuit that a limit allows, in its last form; of two forms of a circuit the cheaper in the end."""
    if settings.form != AUTO:
        prepared = prepare(task, settings, limit.comparison)
        rewritten = chosen_by_members(limit, prepared)
        return prepared, rewritten, finished(prepared, rewritten.reduced)
    share = None if settings.time_limit is None else settings.time_limit / 2
    first = _chosen(limit, task, replace(settings, form=GATES, time_limit=share))
    if first[1].reduced.cut == INTERRUPTED:
        return first
    second = _chosen(limit, task, replace(settings, form=PAULI, time_limit=share))
    prices = first[0].prices  # the same for both: a device's go by the gates of the circuit
    return min((first, second), key=lambda found: total_cost(found[2].sites, prices))


def checked_limit(given: object) -> Limit:
    """What was given, if it is a limit.

    Raises:
        OptionError: It is not; the message shows the choices.
    """
    if not isinstance(given, Limit):
        number = f"{given:g}" if is_number(plain(given)) else "0.05"
        raise OptionError(
            f"limit must say how far pruning may go and how that is known: Threshold(0.05), Proven({number}), "
            f"Measured({number}, refit=True), Everywhere({number}), Accuracy(0.01) or UnderNoise('FakeTorino'), got "
            f"{given!r}; qprune.suggest(task) names a budget"
        )
    return given
