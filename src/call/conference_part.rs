//! How a call's part in its conference changes while it is there: muted, on hold, coaching, spoken to alone (reference:
//! rest-voice §7).
//!
//! What it hears in place of the others (the music of those who wait or are on hold, an announcement) is run by
//! [`crate::wait`]; which of them it is decided here. An announcement comes first, and what was heard before it begins
//! anew when it is over.

use base::ConferenceSid;
use twiml::{ConferenceNews, Context, Finding, HttpMethod};

use crate::call::{Call, Running};
use crate::conference::ConferenceFault;
use crate::conference_dial::{moment, send};
use crate::ctx::Ctx;
use crate::participant::{Hears, Music, ParticipantUpdate};

impl Call {
    /// Somebody decides about this call's part.
    pub(crate) fn update_participant(
        &mut self,
        conference: ConferenceSid,
        update: &ParticipantUpdate,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), ConferenceFault> {
        let (call, moment) = (self.sid(), moment(ctx));
        let Some(changed) = ctx.shared.conferences.change(conference, call, update, moment) else {
            return Ok(());
        };
        send(call, changed?, ctx);
        self.take_part(ctx);
        if let (Running::Conference(run), Some(document)) = (&mut self.running, &update.announce) {
            run.announcement = Some(document.url.clone());
            let url = Some(document.url.clone());
            self.begin_wait(url, document.method, Context::ConferenceWait, ctx);
        }
        self.drive(ctx);
        Ok(())
    }

    /// Something about the conference itself changed.
    pub(crate) fn conference_changed(&mut self, sid: ConferenceSid, ctx: &mut Ctx<'_>) {
        if matches!(&self.running, Running::Conference(run) if run.sid == sid) {
            self.take_part(ctx);
        }
    }

    /// Gives the media plane what the conference says about this member, and it what it is to hear.
    pub(crate) fn take_part(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &self.running else { return };
        let Some(member) = ctx.shared.conferences.member(run.sid, self.row.sid) else { return };
        ctx.media(media::Command::ChangeMember { leg: self.leg.id, member });
        self.hear_conference(ctx);
    }

    /// Music for whoever waits or is on hold, the others for everybody else.
    pub(crate) fn hear_conference(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &mut self.running else { return };
        let Some(hears) = ctx.shared.conferences.hears(run.sid, self.row.sid) else { return };
        if run.announcement.is_some() || run.hears == hears {
            return;
        }
        run.hears = hears.clone();
        match hears {
            Hears::Conference => self.stop_waiting(ctx),
            Hears::Waiting(Music { url, method }) | Hears::Hold(Music { url, method }) => {
                self.begin_wait(url, method, Context::ConferenceWait, ctx);
            }
        }
    }

    /// The document heard in place of the conference came to its end. Before a conference there is silence from here
    /// on; on hold it begins again.
    pub(crate) fn conference_heard(&mut self, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &self.running else { return };
        let call = Some(self.row.sid);
        match (&run.announcement, &run.hears) {
            (Some(_), _) => self.announcement_over(&ConferenceNews::Announced { call }, ctx),
            (None, Hears::Hold(_)) => self.wait_again(ctx),
            (None, Hears::Waiting(_) | Hears::Conference) => {}
        }
    }

    /// It cannot be had. Without what is to be heard before it begins nobody is let in (reference: twiml-voice §10.4);
    /// whoever is on hold hears the box's music.
    pub(crate) fn conference_unheard(&mut self, code: u32, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &self.running else { return };
        let call = Some(self.row.sid);
        match (run.announcement.clone(), &run.hears) {
            (Some(url), _) => {
                let why = Finding::unplaced(code, "").message;
                self.announcement_over(&ConferenceNews::AnnounceFailed { call, url, why }, ctx);
            }
            (None, Hears::Hold(_)) => {
                self.begin_wait(None, HttpMethod::Get, Context::ConferenceWait, ctx);
            }
            (None, Hears::Waiting(_) | Hears::Conference) => self.conference_failed(ctx),
        }
    }

    fn announcement_over(&mut self, news: &ConferenceNews, ctx: &mut Ctx<'_>) {
        let Running::Conference(run) = &mut self.running else { return };
        (run.announcement, run.hears) = (None, Hears::Conference);
        let (conference, call, moment) = (run.sid, self.row.sid, moment(ctx));
        self.stop_waiting(ctx);
        let letter = ctx.shared.conferences.tell(conference, news, moment);
        send(call, Vec::from_iter(letter), ctx);
        self.hear_conference(ctx);
    }
}
