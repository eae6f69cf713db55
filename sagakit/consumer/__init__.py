"""The batch consumer: a batch is one transaction and a flush of replies; then its offsets are committed.

It may import `sagakit.dead_letters`, `sagakit.offsets` and what lies below. Begin with
`sagakit.consumer.consumer` (the loop), then `sagakit.consumer.batch_handler` (what is done with a batch) and
`sagakit.consumer.dispatch` (handlers by record type).
"""
