"""The hazard file as data, the tests that prove it, and the matrix of both: `make trace`."""
