"""Who judges what: requests and their events, the conductor as a whole, its power checks.

    requests   what users asked for            checks    what the conductor looks at by itself
    conductor  what holds for all of it        homes     which machine a node stands for

Each judge is one function over the evidence. May come in: a rule that must hold. Must not: how evidence is gathered.
"""
