"""A world in memory: the kit's real code, a thread at a time, on a Kafka, databases and a time that a test moves.

No line of the kit is changed for it; `sagakit.testing.world.seams` puts these in place of the machine's:

- Kafka's clients (``clients``) on a broker (``broker``), with groups that rebalance, fence and commit.
- Sessions of a database (``database``): transactions, row locks, lost connections. The kit's own statements are done to
  tables as they come (``statements``); a saga's rows stand behind ``sagas``, and yours behind functions of your own.
- Threads (``green``, on greenlets) that give way only where they wait, and an event loop in one (``loop``).

So a run is a list of steps, and the same each time: a process handles a batch, meets a fault (``faults``) at its commit
or at its publish, stands still, joins or leaves. Begin with ``world``. It needs the extra ``testing``.
"""
