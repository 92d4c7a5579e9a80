"""The stand-in of a secret value: enough to see that the value changed, and slow to guess from. Holds no value itself."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

from reconciler.model.resource import Path, ResourceId

PREFIX = "vireo-secret-"
_COST = 2**12  # some milliseconds for each secret: passwords of graphics are short, and who reads the host may try all of them


@lru_cache(maxsize=4096)
def placeholder(project: str, identity: ResourceId, path: Path, value: str) -> str:
    """What stands for `value` in XML, intents and plans: keyed by where the secret belongs, the same on every host and run."""
    key = json.dumps([project, identity.kind, identity.pool, identity.name, *path]).encode()
    return PREFIX + hashlib.scrypt(value.encode(), salt=key, n=_COST, r=8, p=1, dklen=12).hex()
