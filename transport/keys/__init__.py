"""Who may speak to a conductor from elsewhere: key pairs and their files, the allow-list and how it is followed.

Files and decisions; sockets are in doors and clients. May come in: what a key is, who has one, what its role includes.
"""
