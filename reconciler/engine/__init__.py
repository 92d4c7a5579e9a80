"""The order of work: from manifests and hosts to a plan, and from a plan to events. Every command goes through here."""
