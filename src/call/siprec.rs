//! SIP recording sessions of a call: its sound on its way to a recorder (reference: twiml-voice §14.2).

use base::SiprecSid;
use twiml::{Finding, ServiceEvent, SiprecNoun, siprec_params};

use crate::call::Call;
use crate::ctx::{Asked, Ctx};

impl Call {
    /// Begins to send the call's sound to a recorder. What keeps it from beginning has been told, to the callback and to
    /// the debugger, and is given back: its number and a sentence.
    pub(crate) fn start_siprec(
        &mut self,
        noun: &SiprecNoun,
        ctx: &mut Ctx<'_>,
    ) -> Result<SiprecSid, (u32, String)> {
        let finding = Finding::unplaced(NO_CONNECTOR, &format!("{:?}", noun.connector_name));
        self.notify(&finding, None, ctx);
        let error = (NO_CONNECTOR, finding.message);
        if let Some(callback) = &noun.status_callback {
            let facts = self.service_facts(noun.name.clone(), ServiceEvent::Error, Some(error.clone()), ctx);
            let params = siprec_params(SiprecSid::random(&mut ctx.shared.rng), &facts);
            ctx.fetch(self.sid(), Asked::Callback, callback.url.clone(), callback.method, params);
        }
        Err(error)
    }

    /// The one that runs under this name, or whose sid this is.
    pub(crate) fn siprec_named(&self, _name: &str) -> Option<SiprecSid> {
        None
    }

    /// Ends one; false: it is over already.
    pub(crate) fn close_siprec(&mut self, _sid: SiprecSid, _ctx: &mut Ctx<'_>) -> bool {
        false
    }
}

/// There is no connector of this name (reference: error-codes 319xx).
const NO_CONNECTOR: u32 = 31940;
