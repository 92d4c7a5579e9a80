"""Wiping: what a guest wrote is overwritten where it lies, on the disk itself, before its files are deleted.

libvirt's own wipe of a file with holes overwrites nothing: it gives the blocks back as they are. So what it would give back is
overwritten here first, through libvirt's streams, and brought to the disk. Nothing here decides what is wiped.
"""
