"""Moving domains between two hosts: preflight, choosing, storage, moving, and healing what a failure left.

In this order: `preflight.examine` looks and touches nothing, `choosing.choose` decides (pure), `moving.migrate` moves, and
`healing.look` and `healing.heal` tell and mend what stands where. Nothing here knows manifests, plans, marks or inventories.
"""
