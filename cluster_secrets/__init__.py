"""Makes a release's secrets in its cluster, each once: passwords, an authority, certificates.

The chart says in a plan which secrets there have to be, and runs this before everything else of an installation or an
upgrade. What is there is kept. So nothing has to be made up while a chart is rendered, nor found again.
"""
