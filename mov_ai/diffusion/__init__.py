"""The noise process, guidance and samplers."""
