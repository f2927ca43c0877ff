//! What one message may hold. Beyond any of these it is refused or dropped, never cut silently.

/// Header lines in one message, folded lines counted once.
pub const HEADERS_MAX: usize = 256;

/// Bytes of one header's value, folding included.
pub const HEADER_BYTES_MAX: usize = 8 * 1024;

/// Bytes of the start line.
pub const START_LINE_BYTES_MAX: usize = 8 * 1024;

/// Parameters of one header value or URI, and `?headers` of one URI.
pub const PARAMS_MAX: usize = 64;

/// Values of one list header (Via, Route, Record-Route, Contact, Path) over all its lines. No path of 70 hops
/// (RFC 3261 §8.1.1.6) comes near.
pub const VALUES_MAX: usize = 128;
