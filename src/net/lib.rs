//! Sockets: SIP transports, DNS, media threads, the webhook client.
