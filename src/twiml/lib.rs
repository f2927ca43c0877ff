//! TwiML without IO: documents, verbs, interpreter, webhook parameters, signature.
