"""Origin writes, which no message causes, and their messages: stored with the write, published after its commit.

It may import `sagakit.kafka`, `sagakit.postgres`, `sagakit.avro` and what lies below. Begin with
`sagakit.outbox.writer` (the fast path), then `sagakit.outbox.relay` (what a crash left behind).
"""
