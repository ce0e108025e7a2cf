"""Tables on a disk or in a bucket: append, read, replace, query, copy."""
