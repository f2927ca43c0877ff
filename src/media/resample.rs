//! Sampling rates.
