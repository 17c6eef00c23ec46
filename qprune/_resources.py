"""Files that ship with qprune, noise models and reference networks, and the names near to a mistyped one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from importlib import resources
from pathlib import Path

NEAR = 0.6  # similarity from which a name counts as near; difflib's own choice
MOST = 4  # names that are suggested


def shipped_folder(name: str) -> Path:
    """The folder of files that ship: within an installed package, or at the top level of a clone.

    Args:
        name: "noise_models" or "circuits".
    """
    package = resources.files("qprune")
    installed = Path(str(package.joinpath("_data", name)))
    return installed if installed.is_dir() else Path(str(package)).parent / name


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The known names near to one, as "did you mean … or …? "; empty where none is near.

    Letters count without case and hyphens, and devices without their usual "fake" and "ibm" before and "V2" behind.
    """
    plain: dict[str, list[str]] = {}
    for each in known:
        plain.setdefault(_bare(each), []).append(each)
    near = [each for match in get_close_matches(_bare(name), plain, n=MOST, cutoff=NEAR) for each in plain[match]]
    return f"did you mean {' or '.join(near[:MOST])}? " if near else ""


def _bare(name: str) -> str:
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    return re.sub(r"^(fake|ibmq|ibm)|v2$", "", letters) or letters
