"""qprune beside the tools people use today: same circuits, same observables, same ensemble, measured here."""
