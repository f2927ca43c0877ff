//! Two legs that hear each other.
