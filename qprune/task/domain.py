"""The domain of inputs that a claim speaks of: a box, the data's box or ellipsoid, or small boxes around the data.

Source: THEORY T9, step 5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qprune._arrays import FloatArray
from qprune.errors import TaskError

KINDS = ("box", "data", "ellipsoid", "around")
SMALLEST = float(np.finfo(float).tiny)
RIDGE = 1e-9
"""Share of the largest variance added to every direction of an ellipsoid, so that data on a line still have one."""


@dataclass(frozen=True)
class Domain:
    """Which inputs a claim is about. Made by `box`, `data`, `ellipsoid` or `around`.

    Attributes:
        kind: "box", "data", "ellipsoid" or "around".
        low: Lower corner of a box, in the inputs' unit; empty for the others.
        high: Upper corner.
        amount: Margin of "data", quantile of "ellipsoid", radius of "around", each in the unit its constructor names.

    Example:
        >>> Domain.box([0, 0], [1, 3.14])
        Domain.box(low=(0.0, 0.0), high=(1.0, 3.14))
        >>> Domain.from_json(Domain.ellipsoid(0.9).to_json())
        Domain.ellipsoid(quantile=0.9)
    """

    kind: str
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    amount: float = 0.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise TaskError(f"domain must be one of {', '.join(KINDS)}, got {self.kind!r}")

    @classmethod
    def box(cls, low: ArrayLike, high: ArrayLike) -> Domain:
        """All inputs between two corners.

        Args:
            low: Lower corner, shape (n,), or one number for all inputs; in the unit of the inputs.
            high: Upper corner, nowhere below `low`.

        Raises:
            TaskError: The corners are no finite numbers, differ in length or are in the wrong order.
        """
        corners = []
        for name, given in (("low", low), ("high", high)):
            try:
                corners.append(np.atleast_1d(np.asarray(given, dtype=np.float64)))
            except (TypeError, ValueError) as error:
                raise TaskError(f"domain: {name} must be numbers, one per input, got {given!r}") from error
            if corners[-1].ndim != 1 or not np.all(np.isfinite(corners[-1])):
                raise TaskError(f"domain: {name} must be finite numbers, one per input, got {given!r}")
        if len(corners[0]) != len(corners[1]) and 1 not in map(len, corners):
            raise TaskError(
                f"domain: low has {len(corners[0])} numbers and high {len(corners[1])}; give one per input in each"
            )
        first, last = np.broadcast_arrays(*corners)
        if np.any(first > last):
            i = int(np.argmax(first > last))
            raise TaskError(f"domain: low must not exceed high, but at input {i} {first[i]:.6g} > {last[i]:.6g}")
        return cls("box", tuple(first.tolist()), tuple(last.tolist()))

    @classmethod
    def data(cls, margin: float = 0.0) -> Domain:
        """The smallest box that holds the data.

        Args:
            margin: By how much it is larger on each side, as a share of its width, ≥ 0.
        """
        return cls("data", amount=_checked("margin", margin, 0.0, np.inf))

    @classmethod
    def ellipsoid(cls, quantile: float = 1.0) -> Domain:
        """The part of the data's box within an ellipsoid of the data's mean and covariance.

        Args:
            quantile: Share of the data it holds, in (0, 1]; 1 holds all.
        """
        return cls("ellipsoid", amount=_checked("quantile", quantile, SMALLEST, 1.0))

    @classmethod
    def around(cls, radius: float) -> Domain:
        """Boxes around all samples.

        Args:
            radius: Largest change of any input, > 0, in the unit of the inputs.
        """
        return cls("around", amount=_checked("radius", radius, SMALLEST, np.inf))

    def to_json(self) -> dict[str, Any]:
        """As numbers and names that JSON keeps to the last bit."""
        if self.kind == "box":
            return {"kind": self.kind, "low": list(self.low), "high": list(self.high)}
        return {"kind": self.kind, _AMOUNTS[self.kind]: self.amount}

    @classmethod
    def from_json(cls, stored: Any) -> Domain:
        """Back from `to_json`.

        Raises:
            TaskError: It is not such a record.
        """
        try:
            given = dict(stored)
            kind = given.pop("kind")
            if kind not in KINDS:
                raise KeyError(kind)
            made: Domain = getattr(cls, kind)(**given)
        except TaskError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise TaskError(
                f"domain {stored!r} cannot be read; it needs a kind ({', '.join(KINDS)}) and its numbers"
            ) from error
        return made

    @property
    def words(self) -> str:
        """The domain as the end of "every input …"."""
        if self.kind == "box":
            low, high = ([f"{x:.4g}" for x in corner] for corner in (self.low, self.high))
            alike = len(set(low)) == 1 and len(set(high)) == 1
            return f"from {low[0]} to {high[0]}" if alike else f"between ({', '.join(low)}) and ({', '.join(high)})"
        if self.kind == "data":
            return "in the data's range" + (f" and {self.amount:.0%} beyond" if self.amount else "")
        if self.kind == "ellipsoid":
            return f"in the ellipsoid of {self.amount:.0%} of the data"
        return f"within {self.amount:.4g} of a sample"

    def __repr__(self) -> str:
        inside = f"low={self.low}, high={self.high}" if self.kind == "box" else f"{_AMOUNTS[self.kind]}={self.amount}"
        return f"Domain.{self.kind}({inside})"


_AMOUNTS = {"data": "margin", "ellipsoid": "quantile", "around": "radius"}


def _checked(name: str, given: Any, least: float, most: float) -> float:
    if isinstance(given, bool) or not isinstance(given, (int, float, np.integer, np.floating)):
        raise TaskError(f"domain: {name} must be a number, got {given!r}")
    value = float(given)
    if not (least <= value <= most and np.isfinite(value)):
        limits = f"at least {least:g}" if most == np.inf else f"above 0 and at most {most:g}"
        raise TaskError(
            f"domain: {name} must be finite and {'above 0' if most == np.inf and least else limits}, got {given!r}"
        )
    return value


@dataclass(frozen=True)
class Resolved:
    """A domain with the numbers that the data give it.

    Attributes:
        low: Lower corners of its boxes, shape (K, n): one, or one per sample.
        high: Upper corners.
        matrix: L of the ellipsoid ‖L(x − μ)‖ ≤ r that cuts them, shape (n, n); None without one.
        centre: μ, shape (n,).
        radius: r.
    """

    low: FloatArray
    high: FloatArray
    matrix: FloatArray | None = None
    centre: FloatArray | None = None
    radius: float = 0.0


def checked_domain(given: object) -> Domain:
    """A domain, or "data" for the box of the data.

    Raises:
        TaskError: It is neither.
    """
    if isinstance(given, str) and given == "data":
        return Domain.data()
    if not isinstance(given, Domain):
        raise TaskError(f'domain must be "data" or a qprune.Domain such as Domain.box(0, 3.14), got {given!r}')
    return given


def resolved(domain: Domain | str, inputs: FloatArray) -> Resolved:
    """The domain as boxes and an ellipsoid.

    Args:
        domain: A `Domain`, or "data".
        inputs: The samples it is about, shape (M, n).

    Raises:
        TaskError: The domain does not fit the inputs.
    """
    domain = checked_domain(domain)
    least, most = inputs.min(axis=0), inputs.max(axis=0)
    width = inputs.shape[1]
    if domain.kind == "box":
        if len(domain.low) not in (1, width):
            raise TaskError(f"domain has {len(domain.low)} inputs, the task {width}; give one number per input")
        low, high = (np.broadcast_to(np.array(corner), width).astype(float) for corner in (domain.low, domain.high))
        return Resolved(low[None], high[None])
    if domain.kind == "data":
        room = domain.amount * (most - least)
        return Resolved((least - room)[None], (most + room)[None])
    if domain.kind == "around":
        rows = np.unique(inputs, axis=0)
        # Outwards, or inputs so large that the radius is lost on them would leave out what was asked for.
        return Resolved(np.nextafter(rows - domain.amount, -np.inf), np.nextafter(rows + domain.amount, np.inf))
    return _ellipsoid(domain.amount, inputs, least, most)


def _ellipsoid(quantile: float, inputs: FloatArray, least: FloatArray, most: FloatArray) -> Resolved:
    centre = inputs.mean(axis=0)
    away = inputs - centre
    covariance = away.T @ away / len(inputs)
    largest = float(np.trace(covariance))
    if not largest > 0:
        raise TaskError("domain: an ellipsoid needs inputs that differ; give a box, or boxes around the samples")
    values, vectors = np.linalg.eigh(covariance + RIDGE * largest * np.eye(len(centre)))
    matrix = (vectors / np.sqrt(values)).T
    distances = np.linalg.norm(away @ matrix.T, axis=1)
    # The least radius that holds this share of the samples, widened so that rounding leaves none outside.
    held = int(np.ceil(quantile * len(inputs) - 1e-9))
    radius = float(np.sort(distances)[max(held, 1) - 1]) * (1 + 1e-12)
    return Resolved(least[None], most[None], matrix, centre, radius)


def outside(domain: Domain | str, inputs: FloatArray, samples: FloatArray) -> NDArray[np.intp]:
    """Indices of samples that a domain does not hold.

    Args:
        domain: As in `resolved`.
        inputs: The samples that define it, shape (M, n).
        samples: The samples that are asked about, shape (N, n).
    """
    found = resolved(domain, inputs)
    inside = np.zeros(len(samples), dtype=bool)
    for low, high in zip(found.low, found.high, strict=True):
        inside |= np.all((samples >= low) & (samples <= high), axis=1)
    if found.matrix is not None and found.centre is not None:
        inside &= np.linalg.norm((samples - found.centre) @ found.matrix.T, axis=1) <= found.radius
    return np.flatnonzero(~inside)
