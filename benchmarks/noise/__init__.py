"""Pruned circuits on noisy machines."""
