"""A session as it runs: looks at the device, what changed between them, and a live plot."""
