"""Journeys of a person in a real browser, against the production build."""
