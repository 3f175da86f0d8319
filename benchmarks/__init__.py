"""Speed and memory of IontoPico as numbers: `python -m benchmarks` writes build/benchmark.json and a table."""
