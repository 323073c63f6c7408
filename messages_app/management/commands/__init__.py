"""`manage.py` commands about messages."""
