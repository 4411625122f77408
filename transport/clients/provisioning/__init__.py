"""What a client says around provisioning: moves and their steps, guards, and whatever else decides where nodes may go.

Verbs put into calls, nothing more: no decision is taken here, and no socket is touched.
"""
