"""Host side of IontoPico: the command `ionto` and the same operations as a Python API.

Start with `ionto_host.device.client.Device`::

    from ionto_host.device.client import Device

    with Device.open() as device:
        print(device.status().current_ua)

For bench work, teaching and research; IontoPico is not a cleared medical device.
"""
