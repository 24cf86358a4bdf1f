"""What looks over time around a frozen image model: layers, blocks, TSAM from scratch, nothing; at equal compute."""
