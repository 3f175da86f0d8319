"""The bench's fixtures on a place of labgrid: where board and meter are is what the place's resources say."""

import pytest
from labgrid import Target
from labgrid.util.proxy import proxymanager


@pytest.fixture(scope="session")
def ionto_bench_port(target: Target) -> str:
    """The board's port: the place's NetworkSerialPort, through ssh where the exporter is isolated."""
    host, tcp_port = proxymanager.get_host_and_port(target.get_resource("NetworkSerialPort"))
    return f"rfc2217://{host}:{tcp_port}?ign_set_control"  # as labgrid's own driver: not every server confirms DTR


@pytest.fixture(scope="session")
def ionto_bench_meter(target: Target) -> str:
    """The meter: the place's PyVISADevice."""
    meter = target.get_resource("PyVISADevice")
    return f"{meter.type}::{meter.url}"
