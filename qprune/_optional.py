"""Libraries that only some work needs: imported when it begins, and named with the way to get them if absent."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from qprune.errors import MissingExtraError


def require(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module that an extra of the package brings.

    Args:
        module: Its full name, such as "matplotlib.pyplot".
        extra: Name of the extra in pyproject.toml.
        purpose: What needs it, as the subject of "needs …".

    Raises:
        MissingExtraError: The library is not installed; says how to install it.
    """
    library = module.split(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] != library:  # the library is there, and something of its own is not
            raise
        raise MissingExtraError(
            f"{purpose} needs {library}, which is not installed: pip install 'qprune[{extra}]'", name=library
        ) from error
