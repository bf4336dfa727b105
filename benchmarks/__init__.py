"""Measures this project against what a user would pick instead. Start it with ``python benchmarks/run.py``."""
