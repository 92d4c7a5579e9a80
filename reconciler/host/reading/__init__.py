"""One module for each family of libvirt objects: bulk reads into Observed, without marks. Whose they are is observe's business.

A reader offers `read_all` (lists, and the XML of each) and `read_one` (one object, by UUID or name). Objects that vanish
meanwhile are simply absent. Nothing here changes a definition or a state.
"""
