"""The live loop: decide (compute), submit (exchange), reconcile. What it knows is in its journal."""
