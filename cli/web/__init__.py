"""`castiron web`: a page to look at, and the small server behind it, which is one more client of the conductor.

What is seen is the board's, what is sent the feed's, where it is heard of the follower's; who may come in is the
guard's. Nothing here asks a conductor to change anything. The one home of starlette and uvicorn.
"""
