"""`python -m qprune`: the command `qprune`, where its script is not on the path."""

from qprune_command import main

if __name__ == "__main__":
    raise SystemExit(main())
