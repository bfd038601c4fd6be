"""`python -m tollway.sim`: the same as `tollway sim`, and quicker to start."""

import sys

from tollway.sim.arguments import parse_arguments
from tollway.sim.program import run_sim

if __name__ == "__main__":
    try:
        options = parse_arguments(sys.argv[1:])
    except ValueError as error:
        sys.stderr.write(f"tollway.sim: {error}\n")
        sys.exit(2)
    run_sim(options)
