"""Tests of the command line's printers and of its words; commands on hosts are tested in tests/libvirt and tests/qemu."""
