"""Amounts and durations as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifest.quantity import SECONDS, UNITS, amount, rate, seconds


@pytest.mark.parametrize(
    "text, size",
    [
        ("0B", 0),
        ("512MiB", 512 * 1024**2),
        ("1.5GiB", 3 * 512 * 1024**2),
        ("10 GB", 10**10),
        ("1kB", 1000),
        ("1KB", 1000),
        ("0.5KiB", 512),
        ("7.999999999GB", 7_999_999_999),
        ("7EiB", 7 * 1024**6),
    ],
)
def test_a_quantity_is_exact(text: str, size: int) -> None:
    assert amount(text) == size


@pytest.mark.parametrize(
    "text, said",
    [
        ("512", '"512" has no unit; write 512MiB or 512GiB, for example'),
        ("512M", '"M" is not a unit; write 512MiB (1024) or 512MB (1000)'),
        ("512Mi", '"Mi" is not a unit; write 512MiB (1024) or 512MB (1000)'),
        ("512mib", '"mib" is not a unit; write 512MiB (1024) or 512MB (1000)'),
        ("5 lots", '"lots" is not a unit; write one of B, KiB, MiB, GiB, TiB, PiB, EiB, kB, MB, GB, TB, PB, EB'),
        ("-5MiB", '"-5MiB" is not a quantity; write a number and a unit, as in 512MiB'),
        ("1e3MiB", "is not a quantity"),
        ("MiB", '"MiB" is not a quantity'),
        ("", '"" is not a quantity'),
        ("5MiB\n", "is not a quantity"),
        ("\N{ARABIC-INDIC DIGIT FIVE}MiB", "is not a quantity"),
        ("0.1B", '"0.1B" is not a whole number of bytes; write it in a smaller unit'),
        ("8EiB", '"8EiB" is more than libvirt can count'),
        ("9" * 10_000 + "MiB", "is not a quantity"),
    ],
)
def test_a_wrong_quantity_says_how_to_write_it(text: str, said: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the message is looked at
        amount(text)
    assert said in str(caught.value)


@given(st.integers(0, 2**20), st.sampled_from(sorted(UNITS)))
def test_a_whole_number_of_units_is_that_many_bytes(number: int, unit: str) -> None:
    if number * UNITS[unit] < 2**63:
        assert amount(f"{number}{unit}") == number * UNITS[unit]


@pytest.mark.parametrize("text, length", [("60s", 60), ("1.5m", 90), ("1h", 3600), ("2d", 172_800), ("250ms", 0.25), ("0s", 0)])
def test_a_duration_is_in_seconds(text: str, length: float) -> None:
    assert seconds(text) == length
    assert isinstance(seconds(text), float) is (length % 1 != 0)


@pytest.mark.parametrize("text", ["60", "1w", "-1s", "1m30s", "", "s", "60s\n", "1 s"])
def test_a_wrong_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        seconds(text)


def test_every_unit_of_time_is_known() -> None:
    assert {unit: seconds(f"1{unit}") for unit in SECONDS} == SECONDS


def test_a_rate_is_in_bytes_a_second() -> None:
    assert rate("100MiB/s") == 100 * 1024**2


@pytest.mark.parametrize("text", ["100MiB", "100MiB/m", "100/s", "/s", "100MiB/s "])
def test_a_wrong_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"as in 100MiB/s|has no unit|is not a quantity"):
        rate(text)
