"""`python -m tollway.sim`: the same as `tollway sim`."""

import typer

from tollway.sim.command import sim

if __name__ == "__main__":
    typer.run(sim)
