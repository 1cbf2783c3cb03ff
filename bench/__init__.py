"""The benchmarks: every budget of the design and every rival a user might run, measured side by side in one run.

`python -m bench` prints ratios, because absolute figures of a shared machine say little: two sides of a ratio are
measured in alternating rounds (A B A B …), the ratio is taken round by round, and its median is shown with the lowest
and the highest round. All traffic stays on loopback, and whatever a run starts it stops.
"""
