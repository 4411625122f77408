"""What test harnesses use: simulated BMCs over real UDP, a conductor that runs for a `with`, virtual time."""
