"""Flows: runs that outlive whatever dies, driven from their logs.

`decide.flow` says what comes next; here it is written down, done, and waited for. A run's log is a port (`storage`),
and so is who makes its calls (`calls`) and who decides (`Decide`), so that flows can be written in other ways too.
"""
