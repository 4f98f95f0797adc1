"""Snakemake that looks at its jobs in SLURM every second, where the plugin looks ever more seldom: tests do not wait.

Called with Snakemake's own arguments; within the jobs it is Snakemake as it comes.
"""

import asyncio
import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor


async def _one_second(_executor: RemoteExecutor) -> None:
    await asyncio.sleep(1)


if __name__ == "__main__":
    RemoteExecutor.sleep = _one_second
    sys.exit(main())
