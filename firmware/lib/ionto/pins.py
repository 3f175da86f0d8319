"""The one table of pins, RP2040 GPIO numbers of the Pico (hardware/README.md shows the net of each)."""

from ionto.compat import const

PWM_SETPOINT = const(2)  # to the 74LVC1G3157 select; GP3 stays free as a guard
I2C_SDA = const(4)
I2C_SCL = const(5)
BOOST_ENABLE = const(6)  # high: 24 V rail on
POLARITY_RELAY = const(7)  # high: reversed; switched only at zero current with the output disabled
RANGE_STRAP = const(8)  # pull-up; open = variant A, to GND = variant B
START_BUTTON = const(9)  # pull-up; pressed = 0
STOP_SENSE = const(10)  # pull-up; loop closed = 0, pressed or broken = 1
BENCH_STRAP = const(11)  # pull-up; fitted = 0
MAINTENANCE_STRAP = const(12)  # pull-up; fitted = 0
LED_READY = const(13)
LED_CURRENT = const(14)
LED_FAULT = const(15)
BUZZER = const(16)
LOOP_TIMING = const(17)  # spare: high while a control step runs, for an oscilloscope
POLE_SENSE = const(18)  # high: current flows out of E+; means nothing without current
RELAY_SENSE = const(19)  # high: the coil of the polarity relay is driven
INTERLOCK_SENSE = const(20)  # input: high while VBUS holds the output off; driven high it does so without VBUS
HEARTBEAT = const(22)  # neighbours are GND and RUN, so a bridge to the PWM pin cannot feed the pump
VBUS_SENSE = const(24)  # high: a computer is plugged in
LED_BOARD = const(25)
ADC_DRAIN = const(26)
ADC_RAIL = const(27)
ADC_SNS = const(28)
ADC_VSYS = const(29)

I2C_BUS = const(0)
I2C_FREQ_HZ = const(400_000)
INA219_ADDRESS = const(0x40)
INA226_ADDRESS = const(0x41)
FRAM_ADDRESS = const(0x50)
PWM_FREQ_HZ = const(30_518)
PWM_TOP = const(4095)  # 125 MHz / 4096 = 30.518 kHz
