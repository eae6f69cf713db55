"""What any process needs: settings, logs, metrics, periodic work, waiting for a server.

It speaks to no server, and imports no other room, only `sagakit.families`. Begin with `sagakit.runtime.settings`, then
`sagakit.runtime.periodic` and `sagakit.runtime.set_aside`.
"""
