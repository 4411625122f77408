"""What a webhook is on the wire: which URLs may be called, how a call is signed, and the call itself.

The one home of httpx. May come in: what HTTP asks of us. Must not: when a call is made, or made again.
"""
