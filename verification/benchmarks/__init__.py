"""Speed and memory of IontoPico as numbers: `make benchmark` writes build/benchmark.json and a table."""
