"""Rules that say whether a layout shows what its graph says, of any scene: a file for each kind of fact."""
