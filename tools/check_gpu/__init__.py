"""Does everything work on the device that is here, how exactly, how fast, and in how much memory?"""
