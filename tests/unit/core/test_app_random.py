"""A whole device with commands, garbage, buttons, loads and resets at random."""

from __future__ import annotations

import struct

from fake_flash import Flash
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from plant import OPEN_OHM, Board, device, press

from ionto import bootmode, kernel, protocol


class DeviceMachine(RuleBasedStateMachine):
    """A whole device with commands, garbage, buttons, loads and resets at random.

    The fake board checks heartbeat and flash in every cycle; here are the dose, the answers and the logs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.flash, self.scratch = Flash(), Board()
        self.open()

    def open(self) -> None:
        self._context = device(flash=self.flash, board=self.scratch)
        self.board = self._context.__enter__()
        self.board.hal.bench_strap = True
        self.board.run(2)

    def teardown(self) -> None:
        self.board.code(protocol.ABORT)
        self.board.run(250)
        for log_id in range(1, len(self.board.logs) + 1):
            assert self.board.log(log_id)[0][0] == "arm"
            assert self.board.log(log_id)[-1][0] == "end"
        self._context.__exit__(None, None, None)

    @rule(ms=st.sampled_from([1, 5, 60, 300, 700]))
    def time_passes(self, ms: int) -> None:
        self.board.run(ms)

    @rule(kind=st.sampled_from([protocol.START, protocol.PAUSE, protocol.RESUME, protocol.ABORT, protocol.STATUS]))
    def command(self, kind: int) -> None:
        self.board.code(kind)
        if kind == protocol.ABORT:
            assert not self.board.app.session.output_on

    @rule(kind=st.integers(0, 4), to_ua=st.sampled_from([0, 50, 400, 1_500, 4_000, 0xFFFF]))
    def comfort(self, kind: int, to_ua: int) -> None:
        block = self.board.app.session.block
        before = block[kernel.S_GOAL_UA]
        self.board.code(protocol.COMFORT, struct.pack(protocol.COMFORT_FORMAT, kind, to_ua))
        assert block[kernel.S_GOAL_UA] <= before

    @rule(current_ua=st.sampled_from([500, 2_000, 4_000]))
    def push(self, current_ua: int) -> None:
        before = self.board.app.session.dose
        code = self.board.push(current_ua=current_ua, dose_uc=max(6_000, current_ua * 3 // 2))
        assert (code == 0) == (self.board.app.session.dose is not before)

    @rule()
    def session(self) -> None:
        self.board.push()
        if self.board.code(protocol.START) == 0:
            self.board.until(protocol.HOLD, protocol.FAULT, most=4_000)

    @rule()
    def clear(self) -> None:
        self.board.run(350)
        self.board.code(protocol.CLEAR_FAULT)

    @rule(data=st.binary(max_size=40))
    def garbage(self, data: bytes) -> None:
        self.board.port.to_device.extend(data)
        self.board.run(220)
        del self.board.port.from_device[:]

    @rule(load_ohm=st.sampled_from([0.0, 20_000.0, OPEN_OHM]), ms=st.sampled_from([1, 3, 200]))
    def contact(self, load_ohm: float, ms: int) -> None:
        self.board.plant.load_ohm = load_ohm
        self.board.run(ms)
        self.board.plant.load_ohm = 2_000.0

    @rule(ms=st.sampled_from([1, 2, 50]))
    def sensor_fails(self, ms: int) -> None:
        self.board.plant.sensor = "stale"
        self.board.run(ms)
        self.board.plant.sensor = "ok"

    @rule()
    def stop(self) -> None:
        self.board.hal.stop_open = True
        self.board.run(3)
        assert not self.board.hal.powered
        self.board.hal.stop_open = False

    @rule(ms=st.sampled_from([300, 2_100]))
    def start_button(self, ms: int) -> None:
        press(self.board, ms)

    @rule(power=st.booleans())
    def reset(self, power: bool) -> None:
        self._context.__exit__(None, None, None)
        if power:
            self.scratch.scratch = [0, 0, 0, 0]
        elif bootmode.Boot(self.scratch.scratch[0], False).unplanned >= 3:
            self.scratch.scratch[0] = bootmode.mark(bootmode.BOOTED, 0)
        self.open()
        assert not self.board.app.session.output_on
        assert not self.board.hal.powered

    @invariant()
    def the_board_is_off_unless_a_session_says_on(self) -> None:
        hal, session = self.board.hal, self.board.app.session
        assert hal.powered or hal.duty() == 0
        if session.state in (protocol.IDLE, protocol.PAUSED, protocol.IN_MAINTENANCE):
            assert not session.output_on and session.setpoint_ua == 0
        if session.state == protocol.FAULT:
            assert session.fault and not session.output_on

    @invariant()
    def no_more_than_the_dose(self) -> None:
        session = self.board.app.session
        if session.dose is not None and session.state not in (protocol.IDLE, protocol.SELF_TESTING):
            assert session.charge_uc <= session.dose.dose_uc * 1.005 + 60


TestDeviceMachine = DeviceMachine.TestCase
TestDeviceMachine.settings = settings(max_examples=10, stateful_step_count=20, deadline=None)
