"""The page of the console names every variable that it reads, with its default, and no other."""

import re

from console_svc.settings import ConsoleSettings
from sagakit.avro.settings import RegistrySettings
from sagakit.kafka.settings import KafkaSettings
from tools.paths import ROOT

ROWS = re.findall(r"^\| (`[A-Z_`, ]+) \| ([^|]+) \|", (ROOT / "docs" / "console.md").read_text(), re.MULTILINE)
DOCUMENTED = {name: default for names, default in ROWS for name in re.findall(r"`([A-Z_]+)`", names)}


def test_every_variable_is_on_the_page_with_its_default_and_no_other() -> None:
    others = {*KafkaSettings.model_fields, *RegistrySettings.model_fields}  # they are on the page of settings
    fields = {name.upper(): field for name, field in ConsoleSettings.model_fields.items() if name not in others}
    defaults = {name: field.default for name, field in fields.items()}
    assert set(DOCUMENTED) == set(defaults)
    given = {name: f"`{default}`" for name, default in defaults.items() if default}
    assert {name: DOCUMENTED[name] for name in given} == given
