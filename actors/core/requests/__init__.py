"""What becomes of a request before it runs, or instead: how it is judged, how it waits, how it ends unstarted. Pure.

Running is `actors.core.running`'s and the machines'. Which request goes with which is a table, in `compatibility`.
"""
