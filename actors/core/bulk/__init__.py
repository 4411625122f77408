"""How a bulk goes on: which node is next, and when there are no more. Pure."""
