"""What any process needs: settings, logs, metrics, periodic work, waiting for a server.

It speaks to no server, and may import `sagakit.families` and `sagakit.errors` alone. Begin with
`sagakit.runtime.settings`, then `sagakit.runtime.periodic` and `sagakit.runtime.set_aside`.
"""
