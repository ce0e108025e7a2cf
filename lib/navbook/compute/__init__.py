"""What the facts come to. Pure: no file, clock, network or exchange."""
