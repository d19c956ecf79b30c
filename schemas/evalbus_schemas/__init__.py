"""What crosses a process boundary: benchmark files, commands, queries, events and chunk messages."""
