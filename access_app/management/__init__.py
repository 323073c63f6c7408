"""`manage.py` commands about access."""
