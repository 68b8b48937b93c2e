"""`python -m chipledger_agent`."""

import sys

from chipledger_agent.cli import main

if __name__ == "__main__":
    sys.exit(main())
