"""How far a consumer group has got: in its database, which is believed, and at the broker, which is told.

It may import `sagakit.kafka`, `sagakit.postgres` and what lies below. Begin with `sagakit.offsets.stored_offsets`, then
`sagakit.offsets.starting_points`.
"""
