"""What a simulated BMC says on the wire: RMCP+, its handshake, its sessions, its cipher suites. No sockets."""
