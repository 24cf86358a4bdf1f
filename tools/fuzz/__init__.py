"""Damaged and hostile inputs by the thousand: is each refused in one line or read as it is meant."""
