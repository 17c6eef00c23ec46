"""Which strategy is worth having: all of them on the same circuits under the same limits."""
