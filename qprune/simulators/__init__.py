"""Simulators: what a circuit gives on many samples."""
