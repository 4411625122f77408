"""How nodes are chosen out of many: fields by their names, conditions on them, and the order of lists.

Used by whoever lists nodes, on both sides of the wire, so that both mean the same. Pure.
"""
