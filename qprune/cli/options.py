"""Flags of the command line: one per limit and per field of a limit, read off the limits' own classes."""

from __future__ import annotations

import argparse
import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import shtab

from qprune._files import parse_json
from qprune._resources import did_you_mean
from qprune.errors import BundleError, OptionError
from qprune.exact.pauli import COUPLINGS
from qprune.gates.costs import Costs
from qprune.limits.base import Limit, default_of, options_of
from qprune.limits.registry import LIMITS
from qprune.limits.threshold import DEFAULT_LIMIT
from qprune.limits.under_noise import UnderNoise
from qprune.noise.calibration import NoiseCalibration, calibrate
from qprune.selection.prunable import KINDS
from qprune.selection.strategies import STRATEGIES, Strategy, strategy_of
from qprune.simulators.choices import SIMULATORS, Statevector
from qprune.simulators.simulator import Simulator
from qprune.task.reference import load_network, network_names
from qprune.task.task import Task

BUNDLE = "folder with task.json, inputs.csv, circuit.json or .qasm, or the name of a reference network"


def flag(name: str) -> str:
    """How the command line writes an argument's name."""
    return "--" + name.replace("_", "-")


def add_limits(command: ArgumentParser) -> None:
    """One flag per limit, of which one may be given, and one per further field of any of them."""
    group = command.add_mutually_exclusive_group()
    for name, kind in LIMITS.items():
        value = str if kind is UnderNoise else float
        group.add_argument(flag(name), dest=f"limit_{name}", type=value, metavar=kind.metavar, help=kind.words)
    for name, kinds in _fields().items():
        field = options_of(kinds[0])[name]
        words = f"{field.metadata['help']}; with {_listed(flag(kind.name) for kind in kinds)}"
        dest, default = f"field_{name}", argparse.SUPPRESS
        if isinstance(default_of(field), bool):
            command.add_argument(flag(name), dest=dest, action="store_true", default=default, help=words)
        elif name == "window":
            command.add_argument(flag(name), dest=dest, type=_window, default=default, metavar="QUBITS", help=words)
        else:
            more = {key: field.metadata[key] for key in ("choices", "type") if key in field.metadata}
            more |= {} if "choices" in more else {"metavar": name.upper()}
            command.add_argument(flag(name), dest=dest, default=default, help=words, **more)
    command.add_argument(
        "--refit-noise",
        dest="field_refit",
        action="store_const",
        const="noise",
        default=argparse.SUPPRESS,
        help="refit at last for that device's noise; with --under-noise",
    )


def limit_from(options: Namespace) -> Limit:
    """The limit that the flags ask for.

    Raises:
        OptionError: A flag does not go with that limit, in the flags' own words.
    """
    asked = {name: getattr(options, f"limit_{name}") for name in LIMITS}
    given = {name: value for name, value in asked.items() if value is not None}
    name, value = next(iter(given.items()), (DEFAULT_LIMIT.name, getattr(DEFAULT_LIMIT, DEFAULT_LIMIT.main)))
    kind = LIMITS[name]
    fields = {key.removeprefix("field_"): v for key, v in vars(options).items() if key.startswith("field_")}
    for field in fields:
        if field not in options_of(kind):
            able = _listed(flag(k.name) for k in _fields()[field])
            raise OptionError(
                f"{flag(field)} goes with {able}, not with {flag(name) if given else 'the default limit'}"
            )
    if fields.get("refit") == "noise" and kind is not UnderNoise:
        raise OptionError(f"--refit-noise goes with --under-noise, not with {flag(name)}")
    if kind is UnderNoise:
        value = calibrate(value, **_shape(options))
    return kind(**{kind.main: value}, **fields)


def add_settings(command: ArgumentParser) -> None:
    """What all limits have in common."""
    command.add_argument("--noise", type=_number_or_name, metavar="FILE|NAME|λ", help="noise model, device, or λ")
    command.add_argument("--layout", type=_qubits, metavar="Q,Q,…", help="physical qubits; needs a device as --noise")
    command.add_argument("--beta", type=float, help="strength β of the deformation (default 1); needs --noise")
    command.add_argument("--gamma", type=float, help="γ in ε² = ε₀² + γr (default 1); needs --noise")
    command.add_argument("--representatives", choices=KINDS, default="identity", help="what may stand in for a gate")
    command.add_argument(
        "--resynthesis", action="store_true", help="at last fewer CX in runs on two qubits; fixes their weights"
    )
    command.add_argument(
        "--couplings", choices=COUPLINGS, help="exact resynthesis in Pauli form, with two-qubit gates there"
    )
    add_common(command)


def add_common(command: ArgumentParser) -> None:
    """What `prune` and `frontier` have in common."""
    known = f"who proposes what goes: {', '.join(STRATEGIES)}, or one that an installed package registers"
    command.add_argument("--strategy", type=_strategy, metavar="NAME[:FIELD=VALUE,…]", default="q-iprune", help=known)
    command.add_argument("--costs", metavar="JSON", help="cost by gate name, such as '{\"cx\": 20}'")
    command.add_argument("--prune-encoding", action="store_true", help="gates that an input enters may go too")
    command.add_argument("--holdout", type=float, default=0.0, help="fraction of samples that selection never sees")
    command.add_argument("--seed", type=int, default=0, help="seed of the hold-out and of whatever draws")
    command.add_argument(
        "--simulator", choices=tuple(SIMULATORS), default=Statevector.name, help="how circuits are simulated"
    )
    command.add_argument("--time-limit", type=float, metavar="SECONDS", help="end a search with the best so far")
    command.add_argument("--threads", type=int, default=1, help="threads for statevectors (default 1)")
    command.add_argument("--workers", type=int, default=1, help="processes that share the samples (default 1)")


def simulator_from(options: Namespace) -> Simulator:
    """The simulator that the flags ask for.

    Raises:
        OptionError: Threads are asked for where there are none.
    """
    if options.simulator == Statevector.name:
        return Statevector(options.threads)
    if options.threads != 1:
        raise OptionError(f"--threads goes with --simulator {Statevector.name}")
    return SIMULATORS[options.simulator]()


def noise_from(options: Namespace) -> NoiseCalibration | None:
    """The noise that the flags ask for, besides that of --under-noise.

    Raises:
        OptionError: It is shaped without being given, given twice, or out of range.
    """
    if options.noise is not None and options.limit_under_noise is not None:
        raise OptionError("--under-noise names the noise already; leave --noise out")
    if options.noise is None:
        if _shape(options) and options.limit_under_noise is None:
            raise OptionError("--beta, --gamma and --layout shape what --noise or --under-noise gives; add one of them")
        return None
    return calibrate(options.noise, **_shape(options))


def _shape(options: Namespace) -> dict[str, Any]:
    shape = {name: getattr(options, name) for name in ("beta", "gamma", "layout")}
    return {name: value for name, value in shape.items() if value is not None}


def costs_from(options: Namespace) -> Costs:
    """The costs that the flags ask for.

    Raises:
        OptionError: They are no JSON object.
    """
    if options.costs is None:
        return None
    try:
        costs = parse_json(options.costs, "it")
    except BundleError as error:
        raise OptionError(f'--costs must be a JSON object such as {{"cx": 20}}: {error}') from error
    if not isinstance(costs, dict):
        raise OptionError(f'--costs must be a JSON object such as {{"cx": 20}}, got {options.costs}')
    return costs


def add_folder(command: ArgumentParser, name: str, words: str) -> None:
    """A folder, completed by shells as one."""
    command.add_argument(name, type=Path, help=words).complete = shtab.DIRECTORY  # type: ignore[attr-defined]


def add_bundle(command: ArgumentParser) -> None:
    """The bundle to read and the folder to write."""
    add_folder(command, "bundle", BUNDLE)
    command.add_argument("--force", action="store_true", help="replace an earlier result in --out")


def task_from(options: Namespace, **asked: Any) -> Task:
    """The task of a bundle's folder, or of a reference network where no folder has its name.

    Args:
        options: With the bundle.
        asked: As in `Task.load`.

    Raises:
        BundleError: There is neither, or the bundle cannot be read.
    """
    bundle, name = options.bundle, str(options.bundle)
    if os.path.exists(bundle) or bundle.name != name:
        return Task.load(bundle, **asked)
    if name in network_names():
        return load_network(name, **asked)
    near = did_you_mean(name, network_names())
    raise BundleError(
        f"no task bundle at {name}: give a folder with circuit.qasm, task.json, inputs.csv (`qprune new {name}` makes "
        f"one to fill in), or a reference network; {near}there are {', '.join(network_names())}"
    )


def _fields() -> dict[str, list[type[Limit]]]:
    """Every further field of any limit, with the limits that have it."""
    found: dict[str, list[type[Limit]]] = {}
    for kind in LIMITS.values():
        for name in options_of(kind):
            found.setdefault(name, []).append(kind)
    return found


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def _number_or_name(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _strategy(text: str) -> Strategy:
    """A name, or a name with its fields: `mip:exact=false,tighten=[1,0.5]`."""
    name, _, fields = text.partition(":")
    try:
        plain = strategy_of(name)
        if not fields:
            return plain
        given = parse_json(f"{{{_QUOTED.sub(_as_json, fields)}}}", "the strategy's fields")
        return type(plain)(**given)
    except (OptionError, BundleError, TypeError) as error:
        raise argparse.ArgumentTypeError(f"{error}") from error


_QUOTED = re.compile(r"(?:^|(?<=,))\s*(\w+)\s*=")


def _as_json(match: re.Match[str]) -> str:
    return f'"{match[1]}":'


def _qubits(text: str) -> list[int]:
    if not all(q.isdecimal() for q in text.split(",")):
        raise argparse.ArgumentTypeError(f"must be physical qubits such as 0,1,2, got {text!r}")
    return [int(q) for q in text.split(",")]


def _window(text: str) -> int | str:
    if text != "auto" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be auto or a number of qubits, 0 for none, got {text!r}")
    return text if text == "auto" else int(text)
