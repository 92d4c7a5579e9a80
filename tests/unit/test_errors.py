"""What an error says beside its summary is not what the summary said already."""

from __future__ import annotations

import pytest

from reconciler.errors import VireoError


@pytest.mark.parametrize(
    "summary, detail, more",
    [
        ("mount failed: no such device", "no such device\n", ""),
        ("mount failed: status 32: mount: no device", "status 32: mount: no device\nsee dmesg\n", "see dmesg"),
        ("it failed", "because of this", "because of this"),
        ("it failed", "first\n\nsecond\n", "first\nsecond"),
        ("it failed", "", ""),
    ],
)
def test_the_rest_of_the_detail_is_what_the_summary_does_not_say(summary: str, detail: str, more: str) -> None:
    assert VireoError(summary, detail=detail).more == more
