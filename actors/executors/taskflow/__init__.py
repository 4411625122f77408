"""TaskFlow as executor: the only folder that imports it, and only where it is wanted (`executors.opening`).

May come in: what is said to TaskFlow, and what it says. Must not: what a step does, or what follows from its end.
"""
