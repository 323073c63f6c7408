"""Messages that are sent again from quarantine, while whoever does something dies or freezes at any step."""
