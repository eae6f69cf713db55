"""The batch consumer: a batch is one transaction and a flush of replies; then its offsets are committed.

It may import `sagakit.dead_letters`, `sagakit.offsets` and what lies below. Begin with `sagakit.consumer.consumer` (the
loop), then `sagakit.consumer.batch_handler` (what is done with a batch), `sagakit.consumer.membership` (the group),
`sagakit.consumer.setbacks` (what fails) and `sagakit.consumer.stall_repair`. Handlers are made by
`sagakit.consumer.dispatch`.
"""
