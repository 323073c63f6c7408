"""Publishing from a shell: `manage.py publish`."""
