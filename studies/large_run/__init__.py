"""What training the largest preset would take, counted without memory and without a GPU"""
