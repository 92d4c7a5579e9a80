"""libvirt's XML -> the spec that a person would have written: what `vireo import` says of an object.

Pure: XML text in, plain data out. Tables of (field, XML path, conversion), one module a family of devices. They need not know
everything: what they do not know is found by rendering the spec again, and goes into `xml:`.
"""
