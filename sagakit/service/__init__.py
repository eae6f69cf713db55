"""A service's life: it is wired from its parts, started, reported as ready, and stopped.

This is the top room, and may import every other. Begin with `sagakit.service.life`; `sagakit.service.deploy` creates
topics and registers schemas before services start.
"""
