//! The jitter buffer: what a peer sends unevenly, lost and out of order becomes steady sound.
//!
//! [`JitterBuffer`] decides what is to be heard when; [`Ear`] adds the decoder and gives out frames of samples.
//! Neither knows sockets or clocks: packets come with their arrival, frames are asked for by the box's clock.

mod buffer;
mod delay;
mod ear;
mod noise;
mod store;
mod stretch;
#[cfg(test)]
mod tests;
mod timeline;

pub use buffer::{
    COMFORT_BYTES_MAX, COMFORT_NOISE, DELAY_MS_MAX, FRAME_MS, JitterBuffer, JitterStats, PACKET_MS_MAX, Piece,
};
pub use ear::{Ear, Heard};
