"""Measuring marrow itself: synthetic truth with detector-like errors, and one schema for committed results."""
