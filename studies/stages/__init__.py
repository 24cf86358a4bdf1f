"""What each stage of the cascade adds to the one before, and what each part of a trained network is worth."""
