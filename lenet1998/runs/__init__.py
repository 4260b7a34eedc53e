"""Training runs: one, and many at once, on this computer or a cluster."""
