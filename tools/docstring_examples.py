"""griffe calls a section of examples "Examples:", whatever their number; our docstrings say "Example:" of one."""

from __future__ import annotations

import re

import griffe

ONE = re.compile(r"^Example:$", re.MULTILINE)


class OneExample(griffe.Extension):
    """Reads "Example:" as "Examples:"."""

    def on_object(self, *, obj, **_):
        if obj.docstring is not None:
            obj.docstring.value = ONE.sub("Examples:", obj.docstring.value)
