"""Decisions: pure functions from what is wanted and what is there to a plan. No effects, no clock, no libvirt."""
