"""Values that every other package speaks in. Standard library only; no input, no output, no clock."""
