"""What is wrong with this computer and the board, and what to do next."""
