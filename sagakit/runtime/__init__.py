"""What a process of any kind needs: settings, logs, metrics, periodic work, waiting for a server.

It speaks to no server, and imports no other room. Begin with `sagakit.runtime.settings`.
"""
