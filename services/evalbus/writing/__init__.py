"""What people read, whatever it is shown on: tables, Markdown, moments and names."""
