"""`manage.py` commands about webhooks."""
