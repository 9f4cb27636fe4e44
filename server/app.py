"""The Flower server app: composes the coordinator from its home folder and runs its schedule.

The run config names the home (``flwr run . --run-config 'home="/path"'``).
"""

import json
import sys
from pathlib import Path

from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from server.home import CoordinatorHome
from server.training import train

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run every scheduled task once, in order."""
    home = CoordinatorHome.load(Path(str(context.run_config["home"])))
    run_id = str(context.run_config.get("run-id", "1"))
    summary = train(grid, home, run_id=run_id, progress=_report)
    sys.stdout.write(json.dumps({"released": sorted(summary.releases)}) + "\n")


def _report(phase: str, done: int, total: int) -> None:
    if done in (0, total):
        sys.stderr.write(f"{phase}: {done} of {total} clients\n")
