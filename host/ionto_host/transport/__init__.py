"""How bytes reach a device: ports and their discovery, frames, and requests with their answers."""
