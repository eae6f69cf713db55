"""What the orchestrator's database holds: tables of the kit. A test compares it with what the migrations make."""

from sqlalchemy import MetaData

from sagakit.offsets.tables import consumed_offsets
from sagakit.orchestrator.tables import saga_events, sagas
from sagakit.service.tables import installation

TABLES = MetaData()

for table in (sagas, saga_events, consumed_offsets, installation):
    table.to_metadata(TABLES)
