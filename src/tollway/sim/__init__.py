"""The stand-in upstream: an OpenRouter-compatible server of scripted models, for demos, tests and benchmarks.

`server.start_sim` runs it inside a process, `tollway sim` or `python -m tollway.sim` runs it as one.
`control.py` lists what a request may ask of it, and `plan.py` shows how an answer becomes bytes.
"""
