"""A soak: random situations by seed, each checked against a simulator of its own (tests/README.md).

A case is a kind and a seed; both together determine it to the last bit. `adapter` is the only file that calls qprune,
`oracle` the only one that knows what is true, and it shares no line with the package.
"""
