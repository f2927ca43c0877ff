//! One media thread's share.
