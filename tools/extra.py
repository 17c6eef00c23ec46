"""The requirements of an extra of pyproject.toml, for environments that need no more: `python tools/extra.py docs`."""

import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"


def main(extra: str) -> None:
    """Print them on one line."""
    print(*tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"][extra])


if __name__ == "__main__":
    main(sys.argv[1])
