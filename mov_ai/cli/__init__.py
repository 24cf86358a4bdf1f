"""The `mov-ai` command."""
