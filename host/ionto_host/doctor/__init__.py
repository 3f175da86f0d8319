"""What is wrong with this computer and the board, and what to do next."""

from ionto_host.doctor.examination import examine
from ionto_host.doctor.findings import Finding

__all__ = ["Finding", "examine"]
