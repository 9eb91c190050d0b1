"""Faults injected into real processes: what was acknowledged must survive them."""
