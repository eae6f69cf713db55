"""Where things are in the repository."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ROOT / "schemas"
GEN = ROOT / "gen"
ANNOTATIONS = ROOT / ".deps" / "proto" / "buf" / "validate" / "validate.proto"
