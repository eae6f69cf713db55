"""The command line ``ordersaga``: orders, sagas, dead letters, topics and schemas, for people and for scripts."""

import os
import signal

__version__ = "0.1.0"
"""The version of the whole: services, command line and contracts are released together."""

if "_ORDERSAGA_COMPLETE" in os.environ:  # a shell asks what a word can become: Ctrl-C ends that without a word, too
    signal.signal(signal.SIGINT, signal.SIG_DFL)
