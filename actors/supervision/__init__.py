"""Who owns a node, who notices that it failed, and how it gets an owner again.

May come in: starting, watching and replacing actors. Must not: what actors decide about machines.
"""
