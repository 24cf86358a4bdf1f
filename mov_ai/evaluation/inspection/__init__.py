"""Looking into a video that was made: where its tokens looked, and what each stage added."""
