//! What survives a restart: calls, events, recordings, in SQLite or PostgreSQL.
