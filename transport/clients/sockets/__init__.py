"""A client's end of the wire: its sockets, their keys, and what is seen of a connection. No verbs come in here."""
