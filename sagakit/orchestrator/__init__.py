"""Running sagas: the engine that a consumer calls, the tables, the timers, and operators' actions.

It may import `sagakit.saga`, `sagakit.consumer` and what lies below. `sagakit.saga` decides how
a saga changes; here the change is stored, and its commands are sent. Begin with `sagakit.orchestrator.engine`.
"""
