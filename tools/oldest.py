"""Constraints under which pip installs the lower bound of every requirement in pyproject.toml.

python tools/oldest.py > constraints-oldest.txt
"""

import re
import tomllib
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
TRIED = ("pennylane", "devices", "report", "strategies", "train", "dask", "test")  # extras


def main() -> None:
    lines = [*PROJECT["dependencies"], *(line for extra in TRIED for line in PROJECT["optional-dependencies"][extra])]
    for line in lines:
        if found := re.match(r"([\w.-]+)(?:\[\w+\])?>=([\w.]+)", line):
            print(f"{found[1]}=={found[2]}")


if __name__ == "__main__":
    main()
