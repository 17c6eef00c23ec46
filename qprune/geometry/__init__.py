"""Pure mathematics of distances and limits; no simulator."""
