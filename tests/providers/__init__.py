"""The providers, each against its contract and its wire."""
