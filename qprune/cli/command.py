"""The command `qprune`: exit 0 on success, 1 if a claim does not hold, 2 for unusable input."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree

from qprune import __version__
from qprune.errors import CertificateError, CertificateViolation, OptionError, QpruneError
from qprune.gates.costs import Costs
from qprune.limits.frontier import frontier
from qprune.limits.options import AGGREGATES, CERTIFY
from qprune.limits.pruning import prune
from qprune.limits.tradeoff import trade_off
from qprune.noise.calibration import NoiseCalibration, calibrate
from qprune.report.plots import plot, save_figure
from qprune.report.store import check_output_folder, load, save
from qprune.results.result import plan_actions
from qprune.selection.finder import KINDS
from qprune.selection.strategies import STRATEGIES
from qprune.simulators.values import SIMULATORS, STATEVECTOR
from qprune.task.task import Task
from qprune.verify.check import verify

SUCCESS, VIOLATED, UNUSABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (CertificateViolation, CertificateError) as error:
        return _fail(error, VIOLATED)
    except QpruneError as error:
        return _fail(error, UNUSABLE)
    except BrokenPipeError:  # the reader of a pipe has left
        sys.stderr.close()
        return SUCCESS


def _fail(error: Exception, status: int) -> int:
    print(f"qprune: {' '.join(str(error).split())}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qprune", description="Certified one-shot pruning of quantum circuits.")
    parser.add_argument("--version", action="version", version=f"qprune {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = commands.add_parser("prune", help="prune a task bundle", description="Prune a task bundle.")
    command.add_argument("bundle", type=Path, help="folder with circuit.qasm or circuit.qpy, task.json, inputs.csv")
    command.add_argument("--out", type=Path, help="folder for the result; without it only the table is printed")
    command.add_argument("--force", action="store_true", help="replace an earlier result in --out")
    command.add_argument("--tolerance", type=float, help="threshold on d_q of one gate, 0 to √2 (default 0.05)")
    command.add_argument("--budget", type=_number_or_name, help="largest change of any output, or noise")
    command.add_argument("--certify", choices=CERTIFY, default="bound", help="what must stay within the budget")
    command.add_argument("--refit", action="store_true", help="move surviving weights to make up; needs verified")
    command.add_argument(
        "--refit-noise", dest="refit", action="store_const", const="noise", help="at last for that device's noise"
    )
    command.add_argument("--window", type=_window, default="auto", help="qubits per window of the bound, or auto")
    command.add_argument(
        "--noise", type=_number_or_name, metavar="FILE|NAME|λ", help="noise model, device, or λ in [0, 1]"
    )
    command.add_argument("--layout", type=_qubits, metavar="Q,Q,…", help="physical qubits; needs a device as --noise")
    command.add_argument("--beta", type=float, help="strength β of the deformation (default 1); needs --noise")
    command.add_argument("--gamma", type=float, help="γ in ε² = ε₀² + γr (default 1); needs --noise")
    command.add_argument("--aggregate", choices=AGGREGATES, default="rms", help="d_q over the samples")
    command.add_argument("--representatives", choices=KINDS, default="identity", help="what may stand in for a gate")
    command.add_argument("--strategy", choices=tuple(STRATEGIES), default="q-iprune", help="order under a budget")
    command.add_argument("--costs", metavar="JSON", help="cost by gate name, such as '{\"cx\": 20}'")
    command.add_argument("--prune-encoding", action="store_true", help="gates that an input enters may go too")
    command.add_argument(
        "--resynthesis", action="store_true", help="at last fewer CX in runs on two qubits; fixes their weights"
    )
    command.add_argument(
        "--tradeoff",
        type=_points,
        help="points of the report's curve, one pruning each (default 12, with --refit none: 0)",
    )
    command.add_argument("--holdout", type=float, default=0.0, help="fraction of samples that selection never sees")
    command.add_argument("--seed", type=int, default=0, help="seed of the hold-out and of random strategies")
    command.add_argument("--simulator", choices=SIMULATORS, default=STATEVECTOR, help="how circuits are simulated")
    command.add_argument("--threads", type=int, default=1, help="threads for Aer (default 1)")
    command.add_argument("--workers", type=int, default=1, help="processes that share the samples (default 1)")
    command.set_defaults(run=_prune)

    command = commands.add_parser("frontier", help="the Pareto front of sizes and measured deviations")
    command.add_argument("bundle", type=Path, help="as for prune")
    command.add_argument("--out", type=Path, help="folder for one result per size, and frontier.png")
    command.add_argument("--force", action="store_true", help="replace earlier results in --out")
    command.add_argument("--budgets", type=float, nargs="+", help="largest measured deviations to allow")
    command.add_argument("--no-refit", action="store_true", help="leave the surviving weights where they are")
    command.add_argument("--holdout", type=float, default=0.0, help="fraction of samples that selection never sees")
    command.add_argument("--seed", type=int, default=0, help="seed of the hold-out and of mixed inputs")
    command.add_argument("--simulator", choices=SIMULATORS, default=STATEVECTOR, help="how circuits are simulated")
    command.add_argument("--threads", type=int, default=1, help="threads for Aer (default 1)")
    command.add_argument("--workers", type=int, default=1, help="processes that share the samples (default 1)")
    command.set_defaults(run=_frontier)

    command = commands.add_parser("verify", help="recompute every claim of a result by full simulation")
    command.add_argument("result", type=Path, help="folder that `qprune prune --out` wrote")
    command.set_defaults(run=_verify)

    command = commands.add_parser("show", help="print the table and the fate of every gate")
    command.add_argument("result", type=Path, help="folder that `qprune prune --out` wrote")
    command.add_argument("--all", action="store_true", help="list kept gates too")
    command.set_defaults(run=_show)
    return parser


def _prune(options: argparse.Namespace) -> int:
    noise = None
    if options.noise is not None:
        noise = calibrate(
            options.noise,
            beta=1.0 if options.beta is None else options.beta,
            gamma=1.0 if options.gamma is None else options.gamma,
            layout=options.layout,
        )
    elif (options.beta, options.gamma, options.layout) != (None, None, None):
        return _fail(ValueError("--beta, --gamma and --layout shape what --noise gives; add --noise"), UNUSABLE)
    if options.out is not None:
        check_output_folder(options.out, options.force)
    try:
        costs = None if options.costs is None else json.loads(options.costs)
    except ValueError as error:
        return _fail(ValueError(f'--costs must be a JSON object such as {{"cx": 20}}: {error}'), UNUSABLE)
    task = Task.load(options.bundle, holdout=options.holdout, seed=options.seed)
    with _workers(options.workers) as executor:
        return _pruned(options, task, noise, costs, executor)


def _pruned(
    options: argparse.Namespace, task: Task, noise: NoiseCalibration | None, costs: Costs, executor: Executor | None
) -> int:
    result = prune(
        task,
        tolerance=options.tolerance,
        budget=options.budget,
        certify=options.certify,
        refit=options.refit,
        window=options.window,
        noise=noise,
        aggregate=options.aggregate,
        representatives=options.representatives,
        strategy=options.strategy,
        costs=costs,
        prune_encoding=options.prune_encoding,
        resynthesis=options.resynthesis,
        seed=options.seed,
        simulator=options.simulator,
        threads=options.threads,
        executor=executor,
        progress=True,
    )
    print(result)
    if options.out is not None:
        points = (0 if options.refit else 12) if options.tradeoff is None else options.tradeoff
        again = {"costs": costs, "noise": noise, "threads": options.threads, "executor": executor, "progress": True}
        curve = trade_off(result, points=points, **again) if points else ()
        save(result, options.out, overwrite=options.force, tradeoff=curve)
        print(f"\nwritten to {options.out}: report.html, certificate.json, report.txt, before.png, after.png, pruned/")
    return SUCCESS


def _frontier(options: argparse.Namespace) -> int:
    task = Task.load(options.bundle, holdout=options.holdout, seed=options.seed)
    names = [f"{k:02d}" for k in range(100)]
    for name in names if options.out is not None else ():
        check_output_folder(options.out / name, options.force)
    with _workers(options.workers) as executor:
        front = frontier(
            task,
            budgets=options.budgets,
            refit=not options.no_refit,
            seed=options.seed,
            simulator=options.simulator,
            threads=options.threads,
            executor=executor,
            progress=True,
        )
    print(front)
    if options.out is not None:
        for name, result in zip(names, front, strict=False):
            save(result, options.out / name, overwrite=options.force)
        for name in names[len(front) :]:  # results, as checked above, of a longer front that this one replaces
            rmtree(options.out / name, ignore_errors=True)
        save_figure(plot(front), options.out / "frontier.png")
        print(f"\nwritten to {options.out}: frontier.png and {len(front)} results, 00 the largest")
    return SUCCESS


@contextmanager
def _workers(count: int) -> Iterator[Executor | None]:
    """So many processes, or None for this one."""
    if count < 1:
        raise OptionError(f"--workers must be an integer ≥ 1, got {count}")
    if count == 1:
        yield None
        return
    with ProcessPoolExecutor(count, mp_context=get_context("spawn")) as pool:  # a fork copies Aer's locks as they are
        yield pool


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _qubits(text: str) -> list[int]:
    if not all(q.isdecimal() for q in text.split(",")):
        raise argparse.ArgumentTypeError(f"must be physical qubits such as 0,1,2, got {text!r}")
    return [int(q) for q in text.split(",")]


def _window(text: str) -> int | str:
    if text != "auto" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be auto or a number of qubits, 0 for none, got {text!r}")
    return text if text == "auto" else int(text)


def _points(text: str) -> int:
    if not text.isdecimal() or int(text) == 1:
        raise argparse.ArgumentTypeError(f"must be an integer ≥ 2, or 0 for no curve, got {text!r}")
    return int(text)


def _verify(options: argparse.Namespace) -> int:
    result = load(options.result)
    print(verify(result.original, result, progress=True))
    return SUCCESS


def _show(options: argparse.Namespace) -> int:
    result = load(options.result)
    print(result)
    print()
    header = ("gate", "name", "qubits", "role", "action", "d_q", "largest angle", "detail")
    rows = [
        (
            str(entry.index),
            entry.gate,
            ",".join(map(str, entry.qubits)),
            entry.role,
            entry.action,
            entry.distance_text,
            "" if entry.angle is None else f"{entry.angle:.3g}",
            entry.detail,
        )
        for entry in result.plan
        if options.all or entry.action != "keep"
    ]
    widths = [max(len(row[j]) for row in (header, *rows)) for j in range(len(header))]
    for row in (header, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    print(", ".join(f"{count} {action}" for action, count in plan_actions(result.plan).items()))
    return SUCCESS


if __name__ == "__main__":
    sys.exit(main())
