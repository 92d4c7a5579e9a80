"""Vireo, the VIrt REcOnciler: makes libvirt hosts match YAML manifests kept in Git."""

__version__ = "0.1.0"
