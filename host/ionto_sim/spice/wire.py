"""The calls between the VM and the circuit's process, for both Pythons: numbers of calls, and how they are packed."""

REQUEST = "<BxxxIqq"  # call, bytes of JSON that follow, two numbers
ANSWER = "<Ixxxxqqqq"  # bytes of JSON that follow, result, current in nA, charge in fC, output on

CALLS = (
    "make",
    "advance",
    "duty",
    "heartbeat",
    "boost",
    "relay",
    "shunt",
    "second",
    "adc",
    "call",
    "meter",
    "look",
    "dump",
    "restore",
)
ASKS = ("advance", "shunt", "second", "adc", "call", "meter", "look", "dump", "restore")
