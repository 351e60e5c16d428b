"""The command ``skelgen``, called in this process and in another."""

import os
import subprocess
import sys
from pathlib import Path

from click.testing import CliRunner, Result

from skelgen.cli import main
from tests.harness.sources import ROOT


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="skelgen")


def process(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "skelgen", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
