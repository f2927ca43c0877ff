//! SIP without IO: messages, transactions, dialogs, sessions, registrar.
