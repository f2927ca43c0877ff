//! The command line: what was typed becomes one of the commands.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::bail;
use base::{CallSid, WorkspaceSid};
use call::route::{Who, route};
use call::{CallDocument, NewCall, Operator, OperatorReply};
use clap::{Args, Parser, Subcommand};
use twiml::Source;

use crate::control::{Answer, Question, ask};
use crate::{checks, daemon, ladder, lint, replay, tables};

/// The call center in a box.
#[derive(Debug, Parser)]
#[command(name = "tandem", version, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Common {
    /// The configuration file [default: ./tandem.toml, then /etc/tandem/tandem.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The state directory, instead of the configuration's
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct View {
    #[command(flatten)]
    common: Common,
    /// For programs
    #[arg(long)]
    json: bool,
    /// Again every second, until interrupted
    #[arg(long, conflicts_with = "json")]
    watch: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the box in the foreground
    Run {
        #[command(flatten)]
        common: Common,
    },
    /// Write a commented tandem.toml, example documents and new credentials
    Init {
        /// Where to
        #[arg(default_value = ".")]
        dir: PathBuf,
    },
    /// Validate everything and say what is wrong, where, and what would be right
    Check {
        #[command(flatten)]
        common: Common,
    },
    /// Say what would happen to a call, without placing it
    Route {
        /// What is dialled
        number: String,
        /// Who calls: a phone or a trunk by name [default: the office itself]
        #[arg(long, value_name = "WHO")]
        from: Option<String>,
        #[command(flatten)]
        common: Common,
    },
    /// How the box is
    Status(View),
    /// Calls in progress and the latest that ended
    Calls {
        #[command(flatten)]
        view: View,
        /// How many ended calls to show
        #[arg(long, default_value_t = 50)]
        ended: u32,
    },
    /// Phones and where they are registered
    Phones(View),
    /// Trunks and how they are
    Trunks(View),
    /// Voice queues and who waits in them
    Queues(View),
    /// Workers, what they do and for how long
    Workers(View),
    /// One call's ladder: SIP, webhooks, verbs, media, decisions
    Trace {
        /// The call, or a call it dialled
        call: CallSid,
        /// For programs
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Replay what TaskRouter was told on a day, and compare what it decides with what it decided
    Replay {
        /// The day in UTC, as 2026-11-22
        day: String,
        /// Only this workspace
        #[arg(long)]
        workspace: Option<WorkspaceSid>,
        #[command(flatten)]
        common: Common,
    },
    /// Ring FROM, and once it answers dial TO for it
    Call {
        /// Who is rung first: an extension, a number, `client:name`, or a SIP address
        from: String,
        /// Who is dialled then: an extension, a number, or a SIP address
        to: String,
        #[command(flatten)]
        common: Common,
    },
    /// End a call
    Hangup {
        /// Which
        call: CallSid,
        #[command(flatten)]
        common: Common,
    },
    /// Read the configuration again; calls in progress are not touched
    Reload {
        #[command(flatten)]
        common: Common,
    },
    /// Work on TwiML documents
    Twiml {
        #[command(subcommand)]
        command: Twiml,
    },
}

#[derive(Debug, Subcommand)]
enum Twiml {
    /// Say what is wrong with a document
    Lint {
        /// A file, or the http(s) URL that answers with it
        document: String,
        /// How it is read: twiml or texml
        #[arg(long, default_value = "twiml", value_parser = dialect)]
        dialect: twiml::Dialect,
        /// How a URL is requested: GET or POST
        #[arg(long, default_value = "POST", value_parser = method)]
        method: twiml::HttpMethod,
        /// The configuration whose token signs the request [default: that of `tandem run`, if there is one]
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

/// Runs the command that was typed.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    match Cli::parse().command {
        Command::Run { common } => daemon::run(common.config, common.state)?,
        Command::Init { dir } => tables::say(&config::init(&dir, &mut checks::rng()?)?),
        Command::Check { common } => return checks::check(common.config.as_deref(), common.state.as_deref()),
        Command::Route { number, from, common } => say_route(&number, from, &common)?,
        Command::Status(view) => show(&view, &Question::Status)?,
        Command::Calls { view, ended } => show(&view, &Question::Calls { ended })?,
        Command::Phones(view) => show(&view, &Question::Node(Operator::Phones))?,
        Command::Trunks(view) => show(&view, &Question::Node(Operator::Trunks))?,
        Command::Queues(view) => show(&view, &Question::Node(Operator::Queues))?,
        Command::Workers(view) => show(&view, &Question::Node(Operator::Workers))?,
        Command::Trace { call, json, common } => match ask(&state_of(&common)?, &Question::Trace(call))? {
            Answer::Trace(calls) if json => tables::say_json(&calls)?,
            Answer::Trace(calls) => tables::say(&ladder::draw(&calls)),
            _ => bail!("the box answered another question"),
        },
        Command::Replay { day, workspace, common } => {
            let config = load(common.config.as_deref(), common.state.as_deref())?;
            return replay::replay(&config, &day, workspace);
        }
        Command::Call { from, to, common } => {
            let new = Box::new(connecting(from, &to));
            match ask(&state_of(&common)?, &Question::Node(Operator::Originate(new)))? {
                Answer::Node(OperatorReply::Call(row)) => tables::say(&format!("{}\n", row.sid)),
                Answer::Node(OperatorReply::NotPlaced(why)) => bail!("{} ({})", why.why, why.code),
                _ => bail!("the box answered another question"),
            }
        }
        Command::Hangup { call, common } => {
            match ask(&state_of(&common)?, &Question::Node(Operator::Hangup(call)))? {
                Answer::Node(OperatorReply::Done) => tables::say("hung up\n"),
                Answer::Node(OperatorReply::NoSuchCall(sid)) => bail!("no call {sid} is in progress"),
                _ => bail!("the box answered another question"),
            }
        }
        Command::Reload { common } => {
            let answer = ask(&state_of(&common)?, &Question::Reload)?;
            tables::say(&tables::draw(&answer));
        }
        Command::Twiml { command: Twiml::Lint { document, dialect, method, config } } => {
            return lint::lint(&document, dialect, method, config.as_deref());
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A call whose document dials the other party.
fn connecting(from: String, to: &str) -> NewCall {
    let noun = if to.starts_with("sip:") || to.starts_with("sips:") { "Sip" } else { "Number" };
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    // Each of the two is shown the other.
    let (callee, caller) = (escaped(to), escaped(&from));
    let document =
        format!("<Response><Dial callerId=\"{caller}\"><{noun}>{callee}</{noun}></Dial></Response>");
    NewCall::new(from, to, CallDocument::Given(Source::Inline(document)))
}

fn dialect(word: &str) -> Result<twiml::Dialect, String> {
    match word {
        "twiml" => Ok(twiml::Dialect::Twiml),
        "texml" => Ok(twiml::Dialect::Texml),
        _ => Err("must be twiml or texml".to_owned()),
    }
}

fn method(word: &str) -> Result<twiml::HttpMethod, String> {
    twiml::HttpMethod::parse(word).ok_or_else(|| "must be GET or POST".to_owned())
}

/// Reads the configuration; its errors become one, each on a line of its own.
pub(crate) fn load(file: Option<&Path>, state: Option<&Path>) -> anyhow::Result<config::Config> {
    let file = config::find_config(file)?;
    config::load(&file, state).map_err(all)
}

fn all(errors: Vec<config::ConfigError>) -> anyhow::Error {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    anyhow::anyhow!(lines.join("\n"))
}

fn state_of(common: &Common) -> anyhow::Result<PathBuf> {
    match &common.state {
        Some(state) => Ok(state.clone()),
        None => config::find_state(&config::find_config(common.config.as_deref())?).map_err(all),
    }
}

fn show(view: &View, question: &Question) -> anyhow::Result<()> {
    let state = state_of(&view.common)?;
    loop {
        let answer = ask(&state, question)?;
        if view.json {
            return tables::say_json(&tables::json(&answer));
        }
        if !view.watch {
            tables::say(&tables::draw(&answer));
            return Ok(());
        }
        // Home and clear: what a terminal understands without knowing it.
        tables::say(&format!("\x1b[H\x1b[2J{}", tables::draw(&answer)));
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
}

fn say_route(number: &str, from: Option<String>, common: &Common) -> anyhow::Result<()> {
    let config = load(common.config.as_deref(), common.state.as_deref())?;
    let office = &config.office;
    let who = match from {
        None => Who::Api,
        Some(name) if office.phones.contains_key(&name) => Who::Phone(name),
        Some(name) if office.trunks.contains_key(&name) => Who::Trunk(name),
        Some(name) => match office.phone_by_extension(&name) {
            Some(phone) => Who::Phone(phone.name.clone()),
            None => bail!("`{name}` is neither a phone nor a trunk of {}", config.file.display()),
        },
    };
    // A box that runs knows who is registered; without one nobody is.
    let live = match ask(&config.state, &Question::Node(Operator::Phones)) {
        Ok(Answer::Node(OperatorReply::Phones(phones))) => Some(phones),
        _ => None,
    };
    let registered =
        |name: &str| live.iter().flatten().any(|phone| phone.name == name && !phone.contacts.is_empty());
    let decision = route(office, &who, number, registered);
    let mut text = String::new();
    for step in &decision.steps {
        text.push_str(step);
        text.push('\n');
    }
    if live.is_none() {
        text.push_str("(No box is running with this configuration: nobody counts as registered.)\n");
    }
    tables::say(&text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_who_are_connected_each_is_shown_the_other() {
        let new = connecting("101".to_owned(), "+15557771234");
        assert_eq!((new.to.as_str(), new.from.as_str()), ("101", "+15557771234"));
        let CallDocument::Given(Source::Inline(document)) = new.document else { panic!() };
        let dialled = "<Response><Dial callerId=\"101\"><Number>+15557771234</Number></Dial></Response>";
        assert_eq!(document, dialled);
    }
}
