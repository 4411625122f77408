"""What `castiron demo` tells: whole stories on simulated BMCs, each step checked against what the BMCs saw.

One module a story. Nothing in them is staged; a step that does not hold ends the demo with an error.
"""
