"""Writes that no message brought about, and what they have to say: stored with them, published after them.

It may import `sagakit.kafka`, `sagakit.postgres`, `sagakit.avro` and what lies below. Begin with
`sagakit.outbox.writer` (the fast path), then `sagakit.outbox.relay` (what a crash left behind).
"""
