"""XML mechanics for any libvirt kind: parse, canonical mapping, merge, schema check, our own mark.

The only importer of lxml. What is special about a kind comes in as its Rules.
"""
