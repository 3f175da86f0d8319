"""What every fault of the drawn circuit does, by the current that reaches the load: `python -m verification.fmea`."""
