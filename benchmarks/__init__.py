"""How fast Relay is, beside what others reach on the same work. `make bench`; README.md explains the figures.

Reading order: `__main__` (what is measured, in which order), `load` and `publisher` (what is published, by
a process of its own), `target` (what stores it: Relay or a peer), `trial` (one load, checked), `steady` (the
search for the highest rate), one module for each section, and `results` (the table and the JSON file).

Every figure is measured on a stack that the benchmark starts itself, with new data, on free ports.
"""
