"""Do the intervals of distances between sets hold what they promise?"""
