"""`python -m tollway` is `tollway`."""

from tollway.cli.main import main

main()
