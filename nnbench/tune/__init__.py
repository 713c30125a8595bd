"""What to change to train faster, without another network?"""
