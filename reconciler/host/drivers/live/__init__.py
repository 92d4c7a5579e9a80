"""Changes of running guests, by family of paths: each module brings some of them into the live definition, and no other one.

What to bring is read from the definition that the guest will start with next time (see guest.py), so that both agree.
"""
