"""Offsets of a consumer group: stored in its database, which decides, and then committed to the broker.

It may import `sagakit.kafka`, `sagakit.postgres` and what lies below. Begin with `sagakit.offsets.stored_offsets`, then
`sagakit.offsets.starting_points`; `sagakit.offsets.group_lag` says whether a group is behind.
"""
