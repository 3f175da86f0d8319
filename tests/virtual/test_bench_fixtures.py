"""The bench's fixtures on the virtual Pico, as a test of another project would use them."""

import pytest

from ionto_host.bench import measuring


@pytest.mark.hazard("HAZ-03", "HAZ-34")
@pytest.mark.capability("load to choose from", "switch usb")
def test_current_load_meter_and_cable(ionto_rig, device, meter, load, power, measured):
    load.set_ohm(2_000)
    with measuring.session(ionto_rig, 1_000):
        seen = measuring.steady(ionto_rig, 15)
        power.unplug()
        ionto_rig.clock.pause(0.2)
        assert power.plug().status().state_name == "HOLD"
    measured.check("meter", seen.meter_ua, "uA", 990, 1_010)
    measured.check("load", seen.load_ohm, "ohm", 1_800, 2_200)
