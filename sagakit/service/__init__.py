"""A service from its first log line to its last: it is wired from all other rooms, and may import every one of them.

Begin with `sagakit.service.life`.
"""
