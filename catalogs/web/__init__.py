"""What it takes to read over a network: sessions, signatures, credentials, patience, and what went wrong."""
