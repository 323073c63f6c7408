"""What one live client is owed next, whatever breaks: where it stands, what is missing, when it is cut."""
