"""Offsets of a consumer group: stored in its database, which decides, and then committed to the broker.

It may import `sagakit.kafka`, `sagakit.postgres` and what lies below. Begin with `sagakit.offsets.stored_offsets`, then
`sagakit.offsets.starting_points`; `sagakit.offsets.group_lag` says whether a group is behind. A database that went back
is noticed when partitions are assigned (`starting_points.forgotten`) and on each new connection
(`handled.Offsets.must_be_in`).
"""
