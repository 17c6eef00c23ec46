"""Prune, train on, prune again: how small networks of the field's tasks become, beside networks that start small."""
