"""Sagas at work: the engine that a consumer calls, their tables, their timers, and what operators do to them.

It may import `sagakit.saga`, `sagakit.consumer` and what lies below. What becomes of a saga is decided in
`sagakit.saga`; here it is stored and sent. Begin with `sagakit.orchestrator.engine`.
"""
