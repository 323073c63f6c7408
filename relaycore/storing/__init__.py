"""What a writer decides: what the stores say of a partition, and what a duplicate or a batch means.

And how what is stored is shown.
"""
