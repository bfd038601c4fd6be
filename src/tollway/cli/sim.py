"""`tollway sim`: the command itself lives beside the stand-in, so that `python -m tollway.sim` needs nothing else."""

from tollway.sim.command import sim

__all__ = ["sim"]
