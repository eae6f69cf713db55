"""The page of settings names every variable that a service or its ``migrate`` reads, with its default, and no other."""

import re

from orchestrator_svc.__main__ import OrchestratorSettings
from order_svc.__main__ import OrderSettings
from sagakit.postgres.settings import MigrationSettings
from tools.paths import ROOT

PAGE = (ROOT / "docs" / "settings.md").read_text()
ROWS = re.findall(r"^\| (`[^|]+) \| ([^|]+) \|", PAGE, re.MULTILINE)
DOCUMENTED = {name: default for names, default in ROWS for name in re.findall(r"`([A-Z_]+)`", names)}
FIELDS = {**OrderSettings.model_fields, **OrchestratorSettings.model_fields, **MigrationSettings.model_fields}


def test_every_variable_is_on_the_page_and_no_other() -> None:
    assert set(DOCUMENTED) == {name.upper() for name in FIELDS}


def shown(default: object) -> str:
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def test_the_page_gives_each_default() -> None:
    defaults = {name.upper(): shown(field.default) for name, field in FIELDS.items() if field.default is not None}
    required = {name.upper(): "required" for name, field in FIELDS.items() if field.is_required()}
    wanted = defaults | required
    assert {name: DOCUMENTED[name] for name in wanted} == wanted
