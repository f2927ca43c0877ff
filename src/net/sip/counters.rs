//! What the transports count.

use std::sync::atomic::{AtomicU64, Ordering};

/// One number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn up(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What happened on the sockets since they were opened.
        #[derive(Debug, Default)]
        pub(super) struct Counters { $($(#[$doc])* pub(super) $name: Count,)* }

        impl Counters {
            /// Every count under the name metrics give it.
            pub(super) fn read(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.read()),)*]
            }
        }
    };
}

counters! {
    /// Messages handed on.
    received,
    /// Messages taken for sending.
    sent,
    /// Datagrams thrown away because the node was behind.
    datagrams_dropped,
    /// Datagrams longer than a SIP message may be.
    datagrams_too_long,
    /// Keep-alives between messages.
    keep_alives,
    /// Sends the kernel refused, or an ICMP error reported.
    send_failures,
    /// Connections accepted.
    connections_accepted,
    /// Connections opened by us.
    connections_opened,
    /// Connections refused because there were too many.
    connections_refused,
    /// Connections closed because the peer did not read.
    slow_consumers_closed,
    /// Connections closed because nothing, or no whole message, came in time.
    idle_closed,
    /// Connections closed because their bytes could not be framed.
    framing_errors,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_shows_under_its_name() {
        let counters = Counters::default();
        counters.keep_alives.up();
        counters.keep_alives.up();
        let read = counters.read();
        assert!(read.contains(&("keep_alives", 2)) && read.contains(&("received", 0)), "{read:?}");
    }
}
