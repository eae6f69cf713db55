"""Messages that cannot be processed: the form of a letter, and the box in which operators read and replay them.

It may import `sagakit.kafka` and what lies below. The consumer puts letters there: `sagakit.consumer.parking`.
Begin with `sagakit.dead_letters.letter`.
"""
