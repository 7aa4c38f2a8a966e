"""What people do to workflows that are there: each operation is a plain function from an object to an object.

Upstream's clients do the same as edits of the object's `spec` and `status`; whoever serves an operation (the command
line, an API) calls these and writes what comes out. (OP-4, OP-5, OP-8.)
"""
