"""`python -m chipledger_server` is `chipledger-server`."""

import sys

from chipledger_server.cli import main

sys.exit(main())
