"""How much of a proof is run: a part of it with every test run, all of it with `make campaign`."""

import os


def scaled(quick: int, campaign: int) -> int:
    """`quick` in the suite, `campaign` in the campaign."""
    return campaign if os.environ.get("TOLLWAY_CAMPAIGN") else quick
