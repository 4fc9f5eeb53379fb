"""The Python child of hviske-api: JSON lines in, transcripts out. Its interface is PROTOCOL.md."""
