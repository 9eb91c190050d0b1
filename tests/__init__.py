"""The tests of MyGPT, and the fakes and measurements they use."""
