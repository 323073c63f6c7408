"""`manage.py` commands about channels."""
