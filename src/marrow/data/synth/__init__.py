"""Synthetic pictures of people with everything known about them; the command is ``marrow synth``."""
