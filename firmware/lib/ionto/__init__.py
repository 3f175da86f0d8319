"""IontoPico device package: imported by the firmware and, for its tables and pure core, by the host tool."""
