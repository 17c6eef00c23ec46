"""The command `python -m benchmarks`."""

from __future__ import annotations

import argparse
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import (
    accuracy,
    between,
    claims,
    control,
    exact,
    libraries,
    pauli_pruning,
    plots,
    readme,
    refit,
    scaling,
    size,
    tables,
    training,
    wide,
)
from benchmarks.compression import run as compression
from benchmarks.noise import drift, sets
from benchmarks.noise import run as noise
from benchmarks.noise.pruners import PRUNERS
from benchmarks.peers import run as peers
from benchmarks.peers.chains import CHAINS
from benchmarks.peers.circuits import cases
from benchmarks.peers.sides import TOOLS
from benchmarks.records import RESULTS
from benchmarks.strategies import run as strategies
from benchmarks.strategies.sets import BUDGETS
from benchmarks.tasks.catalogue import PATIENCE, TASKS

NETWORK, CIRCUIT = "one small network, seconds: to see that it works", "one small circuit"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = vars(_parser().parse_args(arguments))
    run = options.pop("run")
    return int(run(**options))


def _parser() -> ArgumentParser:
    parser = ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in (_times, _networks, _noise, _refit, _strategies, _compression, _size, _exact, _peers, _written):
        add(commands)
    return parser


# -- what benchmarks have in common -----------------------------------------------------------------------------------


def _benchmark(
    commands: Any, run: Callable[..., None], name: str, words: str, *, quick: str = "", again: bool = False, then: str
) -> ArgumentParser:
    """A command that adds rows to the file called after it.

    Args:
        commands: Where it is added.
        run: What measures; takes the options by their names.
        name: Of the command and its file.
        words: What it measures.
        quick: What `--quick` measures; empty for no such option.
        again: Whether it leaves out what the file holds, unless `--again` is given.
        then: What makes something of the rows.
    """

    def measure(out: Path, **options: Any) -> int:
        before = _lines(out)
        run(out=out, **options)
        added = _lines(out) - before
        print(f"{added} row{'s' * (added != 1)} added to {out}" + f"; now {then}" * bool(then and added))
        return 0

    command: ArgumentParser = commands.add_parser(name, help=words)
    command.add_argument("--out", type=Path, default=RESULTS / f"{name}.jsonl", help="file to which rows are added")
    if quick:
        command.add_argument("--quick", action="store_true", help=quick)
    if again:
        command.add_argument("--again", action="store_true", help="measure anew what the file holds already")
    command.set_defaults(run=measure)
    return command


def _lines(out: Path) -> int:
    return len(out.read_bytes().splitlines()) if out.exists() else 0


def _only(command: ArgumentParser, flag: str, words: str = "only these", **more: Any) -> None:
    """Some of what there is, by name; all by default."""
    command.add_argument(flag, nargs="+", default=(), help=words, **{"metavar": "NAME", **more})


TABLED, PLOTTED = "`python -m benchmarks tables`", "`python -m benchmarks plots`"
BOTH = f"{TABLED} and {PLOTTED}"


# -- one function each, or for a few that are alike -------------------------------------------------------------------


def _times(commands: Any) -> None:
    words = "pruning time over one plain pass of the same ensemble"
    command = _benchmark(commands, _scaling, "scaling", words, quick="one small size, seconds", then=BOTH)
    command.add_argument("--threads", type=_positive, default=1, help="threads for Aer (default 1)")
    command.add_argument(
        "--repeat", type=_positive, default=7, help="alternated repetitions (default 7), more of short ones"
    )
    command.add_argument("--full", action="store_true", help="also 24 qubits, and 100 samples on 16 qubits and more")
    _only(command, "--qubits", "only these, however long", type=_positive, metavar="N")
    _only(command, "--samples", type=_positive, metavar="M")

    words = "a training step on the pruned tape over the original's"
    _benchmark(commands, training.run, "training", words, quick="one small case", then=TABLED)
    words = "what qprune does itself beside the library that is nearest to it"
    command = _benchmark(commands, libraries.run, "libraries", words, quick="the smallest case of each", then=TABLED)
    _only(command, "--parts", choices=tuple(libraries.PARTS))


def _scaling(
    *, out: Path, repeat: int, quick: bool, qubits: Sequence[int], samples: Sequence[int], **more: Any
) -> None:
    """Sizes that are asked for, or all of them and wide circuits in a file beside."""
    scaling.run(out=out, repeat=repeat, quick=quick, qubits=qubits, samples=samples, **more)
    if not (qubits or samples):
        wide.run(out=out.with_name("wide.jsonl"), repeat=min(repeat, 3), quick=quick, step=print)


def _networks(commands: Any) -> None:
    words = "what a limit on samples says nothing of, on one network"
    _benchmark(commands, between.run, between.NAME, words, then=PLOTTED)

    words = "what goes at which deviation, on every reference network"
    command = _benchmark(commands, accuracy.run, accuracy.NAME, words, quick=NETWORK, again=True, then=TABLED)
    _only(command, "--networks", choices=accuracy.names())
    _only(command, "--modes", choices=accuracy.MODES)
    command.add_argument("--budgets", nargs="+", type=float, default=accuracy.BUDGETS, help="default %(default)s")

    words = "what limits refit: an ansatz grown to reproduce each network"
    command = _benchmark(commands, control.run, control.NAME, words, again=True, then=TABLED)
    _only(command, "--networks", choices=control.NETWORKS)
    command.add_argument("--most", type=_positive, default=control.MOST_CX, help="CX up to which it grows")
    words = "seconds after which a network's ansatz grows no further"
    command.add_argument("--patience", type=_positive, default=control.MOST_SECONDS, help=words)

    words = "what a limit for every input takes, beside its aims"
    command = _benchmark(commands, claims.run, claims.NAME, words, again=True, then=TABLED)
    _only(command, "--networks", dest="only", choices=claims.CLAIMS)


def _noise(commands: Any) -> None:
    words = "pruned and unpruned circuits on noisy machines"
    command = _benchmark(commands, noise.run, "noise", words, quick=NETWORK, again=True, then=BOTH)
    command.add_argument("--full", action="store_true", help="every pruner and setting, all networks and devices: days")
    _only(command, "--bundles", "networks in circuits/")
    _only(command, "--models", "noise models and device snapshots")
    _only(command, "--pruners", "see noise.md", choices=PRUNERS)
    command.add_argument("--samples", type=_positive, default=sets.SAMPLES, help="test inputs in each row")
    command.add_argument("--seeds", type=_positive, default=sets.MOST_SEEDS, help="at most so many of each pruner's")
    words = "the same circuits when a device's calibration has moved on"
    command = _benchmark(commands, drift.run, drift.NAME, words, then=TABLED)
    command.add_argument("--days", type=_positive, default=drift.DAYS, help="seeds of the drift")
    _only(command, "--bundles", "networks in circuits/")
    _only(command, "--models", "device snapshots")


def _refit(commands: Any) -> None:
    words = "Jacobians beside other tools', searches beside another checkout's"
    command = _benchmark(
        commands, refit.run, refit.NAME, words, quick="one small network and seed", again=True, then=""
    )
    _only(command, "--networks", choices=refit.NETWORKS)
    _only(command, "--seeds", "only these (default 0 to 4)", type=int, metavar="N")
    _only(command, "--sides", choices=refit.SIDES)
    command.add_argument("--against", type=Path, metavar="CHECKOUT", help="also measure another checkout")
    command.add_argument("--python", default=sys.executable, help="the interpreter for it")


def _strategies(commands: Any) -> None:
    words = "every strategy under every limit"
    command = _benchmark(commands, strategies.run, "strategies", words, quick=f"{CIRCUIT}, minutes", then=BOTH)
    _only(command, "--circuits", dest="names", choices=tuple(strategies.circuits()))
    _only(command, "--limits", choices=tuple(strategies.LIMITS))
    _only(command, "--strategies", dest="chosen", choices=tuple(strategies.STRATEGIES))
    _only(command, "--budgets", type=float, choices=BUDGETS)
    command.add_argument("--seeds", type=_positive, default=strategies.SEEDS, help="of what draws (default 5)")
    command.add_argument("--full", action="store_true", help="every circuit, limit, strategy, budget and seed: days")
    words = "prove nothing for every input of the results"
    command.add_argument("--no-everywhere", dest="everywhere", action="store_false", help=words)


def _compression(commands: Any) -> None:
    words, quick = "tasks of the field: prune, train on, prune again; and controls", "one small task and seed, a minute"
    command = _benchmark(commands, compression.run, "compression", words, quick=quick, then=TABLED)
    _only(command, "--tasks", choices=tuple(TASKS))
    _only(command, "--ways", choices=tuple(compression.WAYS))
    command.add_argument("--seeds", type=_positive, default=compression.SEEDS, help="how many (default %(default)s)")
    words = f"seconds of a search (default {PATIENCE:g}, more on some tasks)"
    command.add_argument("--patience", type=_seconds, help=words)
    words = f"searches of qprune beyond the first, shared out to up to three levels (default {compression.SEARCHES})"
    command.add_argument("--searches", type=_count, default=compression.SEARCHES, help=words)
    command.add_argument(
        "--jobs", type=_positive, default=compression.JOBS, help="tasks at a time (default %(default)s)"
    )


def _size(commands: Any) -> None:
    words, quick = "wide statevectors, entangled chains, many samples and gates, a cluster", "two small sizes, seconds"
    command = _benchmark(commands, size.run, size.NAME, words, quick=quick, again=True, then=TABLED)
    kinds = sorted({config.what for config in size.CONFIGS})
    _only(command, "--only", f"of {', '.join(kinds)}", choices=kinds, metavar="KIND")
    command.add_argument("--most-qubits", type=_positive, default=24, help="of statevectors (default 24; up to 28)")


def _exact(commands: Any) -> None:
    words = "two-qubit gates that exact rewriting takes away, beside other tools"
    _benchmark(commands, exact.run, exact.NAME, words, quick=CIRCUIT, then=TABLED)
    words = "two-qubit gates left by pruning in Pauli form, and by pruning gates"
    _benchmark(commands, pauli_pruning.run, pauli_pruning.NAME, words, quick=CIRCUIT, then=TABLED)


def _peers(commands: Any) -> None:
    words = "qprune beside the tools people use today; those installed"
    quick = f"{CIRCUIT}, without the slowest tools"
    command = _benchmark(commands, peers.run, "peers", words, quick=quick, then=TABLED)
    words = "processor seconds for a tool or a tuned chain (default 60)"
    command.add_argument("--limit", type=_positive, default=60, help=words)
    command.add_argument("--missing", action="store_true", help="leave out what the file already holds")
    named = [case.name for case in (*cases(), *cases(quick=True))]
    _only(command, "--circuit", dest="circuits", choices=named)
    _only(command, "--tool", "only the tool of this name, or with this in it", dest="only", type=_tool, metavar="PART")


def _written(commands: Any) -> None:
    """What makes something of the rows."""
    command = commands.add_parser("readme", help="run the demo and put its table and the result tables into README.md")
    command.set_defaults(run=_readme)
    for name, what, run in (("tables", "Markdown tables", tables.run), ("plots", "PNG plots", plots.run)):
        command = commands.add_parser(name, help=f"result files to {what}")
        command.add_argument("--results", type=Path, default=RESULTS, help="folder with the rows, written to as well")
        command.set_defaults(run=_folder(run))


def _readme() -> int:
    readme.run()
    print("written: README.md")
    return 0


def _folder(run: Callable[[Path], list[Path]]) -> Callable[..., int]:
    """Of a folder of rows."""

    def make(results: Path) -> int:
        written = run(results)
        if not written:
            print(f"benchmarks: no rows in {results}; run a benchmark first", file=sys.stderr)
            return 2
        print("written:", *written)
        return 0

    return make


def _tool(part: str) -> str:
    entries = (*TOOLS, *CHAINS)
    if not any(peers.is_asked_for(entry, [part]) for entry in entries):
        names = "; ".join(entry.name for entry in entries)
        raise argparse.ArgumentTypeError(f"{part!r} must be one of these names, or part of one that is short: {names}")
    return part


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, got {text}")
    return number


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"must be at least 0, got {number}")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {number}")
    return number


if __name__ == "__main__":
    sys.exit(main())
