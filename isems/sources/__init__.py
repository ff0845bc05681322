"""From the network to a payload; nothing in here parses a measurement."""
