"""Snapshots of domains: taken, deleted, reverted to. Where libvirt's API cannot, by other documented calls of it, or not at all.

What belongs to whom and what is to be done is decided elsewhere; here nobody's data is lost but what the verb is about.
"""
