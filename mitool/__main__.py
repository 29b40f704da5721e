"""``python -m mitool``."""

from mitool.cli.main import main

main()
