"""Stand-ins for the world outside: servers and clients that tests and measurements talk to."""
