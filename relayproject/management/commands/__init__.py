"""`manage.py` commands about the whole."""
