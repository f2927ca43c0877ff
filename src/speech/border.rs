//! The words of the call that sounds are asked for with, named in one place.

pub use call::{BuiltinSound, SoundInfo, SoundSource};
