"""The command `qprune`: exit 0 on success, 1 if a claim does not hold, 2 for unusable input, 130 if interrupted."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from multiprocessing import get_context
from typing import Any

import shtab

from qprune._files import check_place
from qprune._text import aligned
from qprune._version import __version__
from qprune.cli.arguments import (
    add_certify,
    add_frontier,
    add_new,
    add_nothing,
    add_prune,
    add_result,
    add_show,
    add_suggest,
)
from qprune.cli.options import costs_from, limit_from, noise_from, simulator_from, task_from
from qprune.cli.setup import examined, new_bundle, shown
from qprune.cli.words import frontier_record, in_flags, print_json, result_record, verification_record
from qprune.errors import CertificateError, CertificateViolation, OptionError, QpruneError, QpruneWarning
from qprune.limits.base import Limit
from qprune.limits.certify_everywhere import everywhere
from qprune.limits.frontier import frontier
from qprune.limits.progress import INTERRUPTED
from qprune.limits.pruning import prune
from qprune.limits.suggest import suggest
from qprune.limits.tradeoff import trade_off
from qprune.report.plots import drawing_library
from qprune.report.store import BESIDE, is_frontier, is_result, load, save, save_frontier
from qprune.report.unfinished import Unfinished
from qprune.results.result import plan_actions
from qprune.results.tradeoff import TradeOffPoint
from qprune.verify.check import verify

SUCCESS, VIOLATED, UNUSABLE, STOPPED = 0, 1, 2, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = argparse.Namespace(json=False)
    try:
        _parser().parse_args(arguments, options)
        with _plain_warnings(options):
            return int(options.run(options))
    except (CertificateViolation, CertificateError) as error:
        return _fail(error, VIOLATED, options)
    except QpruneError as error:
        return _fail(error, UNUSABLE, options)
    except KeyboardInterrupt:
        return _stopped("nothing was finished")
    except BrokenPipeError:  # the reader of a pipe has left
        sys.stderr.close()
        return SUCCESS


@contextmanager
def _plain_warnings(options: argparse.Namespace) -> Iterator[None]:
    """Warnings of qprune in a line, without the place in the code that they come from."""
    usual = warnings.formatwarning

    def one_line(message: Any, category: type[Warning], *place: Any, **more: Any) -> str:
        if issubclass(category, QpruneWarning):
            return f"qprune: warning: {in_flags(str(message), options)}\n"
        return usual(message, category, *place, **more)

    warnings.formatwarning = one_line
    try:
        yield
    finally:
        warnings.formatwarning = usual


def _fail(error: Exception, status: int, options: argparse.Namespace) -> int:
    words = in_flags(" ".join(str(error).split()), options)
    if options.json:
        print_json({"holds": False, "error": words} if status == VIOLATED else {"error": words})
    print(f"qprune: {words}", file=sys.stderr)
    return status


def _stopped(what: str) -> int:
    print(f"qprune: interrupted; {what}", file=sys.stderr)
    return STOPPED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="qprune", description="Certified one-shot pruning of quantum circuits.")
    parser.add_argument("--version", action="version", version=f"qprune {__version__}")
    shtab.add_argument_to(parser, help="print what completes commands in that shell")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (words, add_arguments, run) in COMMANDS.items():
        command = commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
        add_arguments(command)
        command.add_argument("--json", action="store_true", help="print JSON, for programs")
        command.set_defaults(run=run)
    return parser


def _prune(options: argparse.Namespace) -> int:
    limit, noise = limit_from(options), noise_from(options)
    costs, simulator = costs_from(options), simulator_from(options)
    if options.out is not None:
        check_place(options.out, is_result, options.force)
        drawing_library()
    task = task_from(options, holdout=options.holdout, seed=options.seed)
    with _workers(options.workers) as executor:
        again: dict[str, Any] = {"costs": costs, "noise": noise, "simulator": simulator, "executor": executor}
        result = prune(
            task,
            limit,
            strategy=options.strategy,
            representatives=options.representatives,
            prune_encoding=options.prune_encoding,
            resynthesis=options.resynthesis,
            couplings=options.couplings,
            seed=options.seed,
            time_limit=options.time_limit,
            **again,
        )
        _say(options, result, result_record)
        stopped = result.certificate.options.get("cut_short") == INTERRUPTED
        points = _curve(limit) if options.tradeoff is None else options.tradeoff
        curve: Sequence[TradeOffPoint] = ()
        if points and not stopped and options.out is not None:
            curve = trade_off(result, points=points, **again)
            stopped = len(curve) < points
    if options.out is not None:
        save(result, options.out, overwrite=options.force, tradeoff=curve)
        written = "report.html, certificate.json, report.txt, before.png, after.png, pruned/"
        if not options.json:
            print(f"\nwritten to {options.out}: {written}")
    return _stopped("what was found by then is above") if stopped else SUCCESS


def _say(options: argparse.Namespace, told: Any, record: Callable[[Any], Any]) -> None:
    """Print it, as text or as JSON."""
    if options.json:
        print_json(record(told))
    else:
        print(told)


def _curve(limit: Limit) -> int:
    """Points of the report's curve where none are asked for: one pruning each, so none where that takes long."""
    return 12 if limit.quick and not getattr(limit, "refit", False) else 0


def _frontier(options: argparse.Namespace) -> int:
    task = task_from(options, holdout=options.holdout, seed=options.seed)
    unfinished = None
    if options.out is not None:
        drawing_library()
        check_place(options.out, is_frontier, options.force)
        unfinished = Unfinished(options.out)
    with _workers(options.workers) as executor:
        front = frontier(
            task,
            budgets=options.budgets,
            refit=not options.no_refit,
            strategy=options.strategy,
            costs=costs_from(options),
            prune_encoding=options.prune_encoding,
            simulator=simulator_from(options),
            executor=executor,
            seed=options.seed,
            time_limit=options.time_limit,
            known=unfinished.read() if unfinished else (),
            found=unfinished.keep if unfinished else None,
        )
    _say(options, front, frontier_record)
    tell = sys.stderr if options.json else sys.stdout
    if unfinished and not front.cut:
        save_frontier(front, options.out, overwrite=options.force)
        unfinished.discard()
        print(
            f"\nwritten to {options.out}: frontier.html, frontier.png and {len(front)} results, 00 the largest",
            file=tell,
        )
    elif unfinished:
        print(f"\nfinished points are in {unfinished.folder}; the same command goes on from there", file=tell)
    return _stopped("the points found by then are above") if front.cut == INTERRUPTED else SUCCESS


@contextmanager
def _workers(count: int) -> Iterator[Executor | None]:
    """So many processes, or None for this one."""
    if count < 1:
        raise OptionError(f"--workers must be an integer ≥ 1, got {count}")
    if count == 1:
        yield None
        return
    context = get_context("spawn")  # a fork copies Aer's locks as they are
    with ProcessPoolExecutor(count, mp_context=context, initializer=_leave_interrupts) as pool:
        yield pool


def _leave_interrupts() -> None:
    """On a worker: Ctrl-C goes to every process of a terminal, and the command itself sees to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _verify(options: argparse.Namespace) -> int:
    result = load(options.result)
    _say(options, verify(result.original, result), verification_record)
    return SUCCESS


def _suggest(options: argparse.Namespace) -> int:
    told = suggest(task_from(options))
    words = f"budget {told.budget:.3g}: {told.why}\n  qprune prune {options.bundle} --measured {told.budget:.3g}"
    if told.takes_inputs:
        words += (
            f"\n  qprune prune {options.bundle} --everywhere {told.budget:.3g}  # for inputs that are not listed, too"
        )
    _say(options, words, lambda _: {"budget": told.budget, "why": told.why})
    return SUCCESS


def _new(options: argparse.Namespace) -> int:
    told = new_bundle(options.bundle, force=options.force)
    _say(options, told, lambda _: {"bundle": str(options.bundle)})
    return SUCCESS


def _doctor(options: argparse.Namespace) -> int:
    record, well = examined()
    _say(options, "\n".join(shown(record)), lambda _: record)
    return SUCCESS if well else VIOLATED


def _certify(options: argparse.Namespace) -> int:
    if any(os.path.exists(options.result / name) for name in BESIDE):
        raise OptionError(f"{options.result} holds a pruned QNode; load it, and give its result to qprune.everywhere")
    with_drawings = os.path.isfile(options.result / "report.html")
    asked = {"gap": options.gap, "time_limit": options.time_limit, "most_runs": options.most_runs}
    result = everywhere(load(options.result), **asked)
    save(result, options.result, drawings=with_drawings, overwrite=True)
    _say(options, result, result_record)
    return SUCCESS


def _show(options: argparse.Namespace) -> int:
    result = load(options.result)
    if options.json:
        print_json(result_record(result) | {"plan": [asdict(entry) for entry in result.plan]})
        return SUCCESS
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
    print("\n".join(aligned([header, *rows])))
    print(", ".join(f"{count} {action}" for action, count in plan_actions(result.plan).items()))
    return SUCCESS


COMMANDS: dict[str, tuple[str, Callable[[argparse.ArgumentParser], None], Callable[[argparse.Namespace], int]]] = {
    "prune": ("prune a task bundle", add_prune, _prune),
    "frontier": ("the Pareto front of sizes and measured deviations", add_frontier, _frontier),
    "verify": ("recompute every claim of a result by full simulation", add_result, _verify),
    "certify": ("prove of a saved result what holds for every input", add_certify, _certify),
    "show": ("print the table and the fate of every gate", add_show, _show),
    "suggest": ("name a budget, from how far outputs are from other predictions", add_suggest, _suggest),
    "new": ("write a small task bundle to fill in", add_new, _new),
    "doctor": ("versions, extras, threads, and a self-test", add_nothing, _doctor),
}


if __name__ == "__main__":
    sys.exit(main())
