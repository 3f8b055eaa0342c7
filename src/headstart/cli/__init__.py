"""The command line: arguments → one public function → exit code."""

from headstart.cli.main import main

__all__ = ["main"]
