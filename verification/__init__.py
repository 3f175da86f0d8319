"""What is measured and proven about the whole: fault campaign, hazard trace, benchmarks."""
