"""A dose file: read, written, checked against a board, explained, and asked about."""
