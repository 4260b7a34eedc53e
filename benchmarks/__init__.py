"""What is fast and what is left: `uv run python -m benchmarks`."""
