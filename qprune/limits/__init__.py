"""How far pruning may go, and how that is known."""
