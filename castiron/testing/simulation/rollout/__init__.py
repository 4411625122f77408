"""All machines of a simulation deployed at once, while a few of their steps fail, hang, or end the conductor.

    fates    what becomes of each step, drawn       crew     who carries steps out, in virtual time
    agents   who calls back, and when               story    who asks for what

Imports go down this list only. What came of it is evidence, as of every simulation; the judges are the same.
"""
