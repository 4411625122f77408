"""Where verbs arrive: what may come in, and to whom it is brought. On the front door's thread; nothing here waits."""
