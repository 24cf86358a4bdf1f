"""Training on exported MP4s against direct rendering: is anything lost between a video file and the network?"""
