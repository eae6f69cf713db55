"""Where things are in the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ROOT / "schemas"
GEN = ROOT / "gen"
IMPORTED = ROOT / ".deps" / "proto"
"""The proto files of others that ours import."""
