"""Effects on libvirt hosts: sessions, observation, inventory, lock and drivers. The only package that imports libvirt.

It decides nothing: what to do and whether it may be done comes from planning as a value.
"""
