"""What a result records around its numbers, held against the circuits: options, the plan, accuracy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit.circuit import ParameterExpression

from qprune._arrays import FloatArray
from qprune.task.task import Task
from qprune.verify.checks import Checks, Result, damaged
from qprune.verify.formulas import ON_DEVICE
from qprune.verify.states import indices

# What each limit is on. A limit that is not listed here is refused, as nothing would check what it promises.
LIMITS = {
    "threshold": "bound",
    "proven": "bound",
    "measured": "measured",
    "everywhere": "every_input",
    "accuracy": "accuracy",
    "under_noise": "measured",
}
BUDGETED = ("proven", "measured", "everywhere")  # with one of their own; two others may come to one
ACTIONS = ("keep", "remove", "replace", "simplify")
IN_PART = "identity, in part"  # of the rotations that one gate is in Pauli form, some went
# Fields that `verify` takes as they are, beyond comparing hashes: how something was looked for, or where it came from.
INFORMATIVE = (
    "strategy, seed and costs",
    "options that allow more than was done",
    "delta, unless values were measured",
    "source, layout, λ and r of the noise, and what was predicted under it",
    "names of subgroups and representatives",
    "distances and angles in the plan",
    "runs, cells, method and rounding of the limit for every input, and the estimated share of its domain",
    "versions",
    "pictures and report.html",
)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


def _is_limit(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and value >= 0)


# What options can be, for those that no number is recomputed from; the last are the limits' own.
MAYBE = ("refit", "shots", "window", "budget", "tolerance", "loss")
KINDS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("prune_encoding", "resynthesis"), _is_flag),
    **dict.fromkeys(("beta", "gamma", "budget", "tolerance", "loss"), _is_limit),
    **dict.fromkeys(("seed", "window"), _is_count),
    "shots": lambda value: value is None or (_is_count(value) and value > 0),
    "representatives": lambda value: isinstance(value, str),
    "couplings": lambda value: value is None or isinstance(value, str),
    "form": lambda value: isinstance(value, str),
    "strategy": lambda value: isinstance(value, dict) and isinstance(value["name"], str),
    "costs": lambda value: value is None or isinstance(value, dict | str),
    "refit": lambda value: isinstance(value, bool | str),
}


def check_options(checks: Checks, task: Task, result: Result) -> None:
    """What was asked for must allow what was done."""
    certificate, options = result.certificate, result.certificate.options
    entries, limit, simulator = certificate.replaced, options["limit"], options["simulator"]["name"]
    if limit["name"] not in LIMITS:
        raise damaged(f"unknown limit {limit['name']!r}")
    if limit["judged_by"] != LIMITS[limit["name"]]:
        raise damaged(f"the limit {limit['name']!r} is on {LIMITS[limit['name']]!r}, not {limit['judged_by']!r}")
    if "budget" in limit and limit["name"] not in (*BUDGETED, "under_noise", "accuracy"):
        raise damaged(f"the limit {limit['name']!r} has no budget")
    if limit["name"] in ("proven", "threshold") and "tolerance" not in limit:
        raise damaged(f"the limit {limit['name']} does not say its tolerance")
    for name, value in (*((name, options[name]) for name in KINDS if name not in MAYBE), *limit.items()):
        if name in KINDS and not KINDS[name](value):
            raise damaged(f"option {name} cannot be {value!r}")
    count, measured = certificate.expectations.estimates, simulator == ON_DEVICE
    # A device is asked for nothing where every output is a constant.
    fits = (measured or count == 0) and not (measured and LIMITS[limit["name"]] != "bound")
    words = f"{count} values measured with the simulator {simulator} and the limit {limit['name']}"
    checks.holds("what was measured is called so", "comparison", fits, words)
    if not options["prune_encoding"]:
        data = [e.site for e in entries if _role(task, result.simplified.data[e.site].operation) == "encoding"]
        words = f"gate {data[:1]} is replaced, and an input enters it"
        checks.holds("gates with inputs stay", "comparison", not data, words)
    if limit.get("refit"):
        return
    if options["representatives"] == "identity":
        others = [e.site for e in entries if e.matrix is not None]
        checks.holds("gates only go", "comparison", not others, f"gate {others[:1]} is replaced by another gate")
    before = dict(zip((p.name for p in task.weight_params), task.weights.tolist(), strict=True))
    now = zip((p.name for p in result.task.weight_params), result.task.weights.tolist(), strict=True)
    moved = [name for name, value in now if before.get(name) != value]
    checks.holds("weights stay", "comparison", not moved, f"without refit, and weight {moved[:1]} has another value")


def check_plan(checks: Checks, task: Task, result: Result) -> None:
    """The plan counts the gates of `flat`, and says of each what certificate and circuits say."""
    plan, flat, certificate = result.plan, result.flat, result.certificate
    gates = [
        (k, item.operation.name, indices(flat, item), _role(task, item.operation)) for k, item in enumerate(flat.data)
    ]
    listed = [(entry.index, entry.gate, tuple(entry.qubits), entry.role) for entry in plan]
    wrong = next((k for k, pair in enumerate(zip(gates, listed, strict=False)) if pair[0] != pair[1]), None)
    checks.holds(
        "plan: gates, qubits and roles",
        "comparison",
        wrong is None and len(gates) == len(listed),
        f"entry {wrong} is not the gate at that place" if wrong is not None else f"{len(listed)} of {len(gates)} gates",
    )
    strange = [entry.index for entry in plan if entry.action not in ACTIONS]
    checks.holds("plan: actions", "comparison", not strange, f"entry {strange[:1]} has an action that there is not")
    parts = certificate.options.get("form") == "pauli"
    _check_replacements(checks, plan, certificate.replaced, len(gates), parts)
    kept, left = sum(entry.action == "keep" for entry in plan), len(result.task.circuit.data)
    # A gate that others were merged into stays, perhaps under another name.
    checks.holds("plan: gates that stay", "comparison", kept <= left, f"{kept} stay, and {left} gates are left")
    names = {p.name for p in task.weight_params}
    fixed = {name for entry in plan for name in entry.fixes}
    used = {p.name for item in flat.data for p in _parameters(item.operation)}
    checks.holds(
        "plan: weights that became numbers",
        "comparison",
        fixed <= names & used and (not fixed or bool(certificate.options["resynthesis"])),
        f"{sorted(fixed - names) or sorted(fixed)} cannot have",
    )


def _check_replacements(checks: Checks, plan: Sequence[Any], replaced: Sequence[Any], size: int, parts: bool) -> None:
    """Every approximate change of the plan is one of the certificate, and the other way round."""
    by: dict[int, set[str]] = {}  # a gate may stand behind several, as where gates were merged
    for entry in replaced:
        for origin in entry.origins:
            by.setdefault(origin, set()).add(entry.by)
    wrong = []
    for fate in plan:
        names = by.get(fate.index, set())
        if fate.action in ("remove", "replace"):
            called = "identity" if parts and fate.detail == IN_PART else fate.detail
            fits = called in names and (fate.action == "remove") == (fate.detail == "identity")
        else:
            fits = fate.action != "keep" or not names
        wrong += [] if fits else [fate.index]
    words = f"entry {wrong[:1]} does not say what the certificate says"
    checks.holds("plan: what was replaced", "comparison", not wrong, words)
    strange = [e.site for e in replaced if (e.by == "identity") != (e.matrix is None) or max(e.origins) >= size]
    checks.holds("representatives are called so", "comparison", not strange, f"gate {strange[:1]} has another")


def _parameters(operation: Any) -> set[Any]:
    return {p for angle in operation.params if isinstance(angle, ParameterExpression) for p in angle.parameters}


def _role(task: Task, operation: Any) -> str:
    names = {p.name for p in _parameters(operation)}
    if names & {p.name for p in task.input_params}:
        return "encoding"
    return "trainable" if names else "fixed"


def check_accuracy(
    checks: Checks,
    task: Task,
    claimed: tuple[float, float] | None,
    means: tuple[FloatArray, FloatArray] | None,
    doubt: FloatArray,
) -> None:
    """Accuracy anew, from labels and outputs; predictions within rounding of a tie may count or not."""
    labels = task.labels
    if (labels is None) != (claimed is None) or (labels is not None and means is None):
        raise damaged(f"accuracy is {claimed}, and the task has {'no ' * (labels is None)}labels")
    if labels is None or claimed is None or means is None:
        return
    limits = np.array([[np.mean(share) for share in _right(labels, outputs, doubt)] for outputs in means])
    within = np.clip(claimed, *limits.T)
    checks.equal("accuracy before and after", "full simulation", within, claimed, 1e-12, ("before", "after"))


def check_fall(
    checks: Checks, task: Task, loss: float, means: tuple[FloatArray, FloatArray], doubt: FloatArray
) -> None:
    """Accuracy on the selected samples must not fall by more than `loss`, as far as it can be known."""
    (before, _), (_, after) = (_right(task.labels, outputs, doubt) for outputs in means)
    fall = np.mean(before[task.selected]) - np.mean(after[task.selected])
    checks.check("fall of the accuracy", "full simulation", fall, loss, 1e-9)


def _right(labels: Any, means: FloatArray, doubt: FloatArray) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which samples are predicted right for certain, and which may be; all labels say whether signs are meant."""
    if len(means) == 1 or np.any(labels < 0):
        positive = 0 if np.any(labels == 0) else 1
        clear, right = np.abs(means[0]) > doubt[0], (means[0] > 0) == (labels == positive)
        return right & clear, right | ~clear
    own = np.take_along_axis(means, labels[None], axis=0)[0]
    others = np.where(np.arange(len(means))[:, None] == labels, -np.inf, means).max(axis=0)
    room = 2 * doubt.max()
    return own > others + room, own >= others - room
