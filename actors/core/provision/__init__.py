"""How a node moves: the provision state machine, the steps of its work, and who decides which is next. Pure.

May come in: a state's row, a rule about steps. Must not: what a step does to a machine (`core.machines`, plug-ins).
"""
