"""Plans, events and tables as text, JSON and Markdown: functions from values to lines. No input, no connection, no decision."""
