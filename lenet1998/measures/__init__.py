"""What is measured of a network: its answers, how sure it is, chance, and counts."""
