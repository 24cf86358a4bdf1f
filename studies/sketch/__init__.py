"""Whether what is drawn with `--sketch` has the outline of its drawing."""
