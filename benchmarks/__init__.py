"""One command per question: `python -m benchmarks COMMAND`; see benchmarks/README.md."""
