"""Mutation testing of the firmware: small changes, one at a time, each of which some core test has to notice.

The operators are those of cosmic-ray, used as a library. Everything else is here, for two reasons: its runner changes
the checkout's own files and runs one whole test command for each change, and this one works in copies outside the
checkout and runs the tests that reach the changed line, the quickest first. mutmut leaves out every function with a
decorator, and on this firmware those are the control cycle: `@micropython.viper` and `@micropython.native`.

`hunt` is a run, `mutant` says what a mutant is, `operators` how one is made, `sample` which are tried, `reach` which
tests run a line, `guest` runs tests in a copy, `workshop` keeps the copies and their guests, `trial` is one mutant's,
`again` is for those noticed before, `equivalents` what need not be noticed, `record` keeps what was found, and `report`
shows it.
"""
