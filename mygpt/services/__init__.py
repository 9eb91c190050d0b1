"""One module per noun: plain functions that take a session and an actor first, check access, and never commit."""
