"""What a listener decides. One door, `protocol`: what happened goes in, what is to be done comes out."""
