"""Dead letters: the form of messages that cannot be processed, and the box in which operators read and replay them.

It may import `sagakit.kafka` and what lies below. The consumer writes the letters, in `sagakit.consumer.parking`.
Begin with `sagakit.dead_letters.letter`, then `sagakit.dead_letters.box`.
"""
