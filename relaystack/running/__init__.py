"""How the stack runs programs.

What they are (`programs`), how they begin (`process`, `launch`, `accounts`), what follows (`supervisor`), and
what is asked by signals meanwhile (`interrupts`).
"""
