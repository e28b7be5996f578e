"""Spin-Neural ODEs: learn the law of motion of a spintronic device, then forecast it.

device + drive --simulate--> trajectory --train--> Spin-Neural ODE --forecast--> trajectory
--readout--> figure, metric. One module a step; see the README for the map.
"""

__version__ = "0.1.0"
