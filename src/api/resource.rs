//! What every resource of the office's book has in common: it is listed, made, read, changed and deleted by its table
//! of fields. A resource of its own kind says what is particular about it.

use std::sync::Arc;

use axum::extract::{OriginalUri, Path, State};
use axum::http::{StatusCode, Uri};
use axum::routing::get;
use axum::{Json, Router};
use base::{AccountSid, Timestamp};
use config::{Book, Entry, EntryKey, Kind};
use serde_json::{Map, Value, json};

use crate::Api;
use crate::auth::Authorized;
use crate::book::Draft;
use crate::door::Origin;
use crate::error::ApiError;
use crate::fields::{self, Field};
use crate::paging::Paging;
use crate::params::Params;

/// Which of the two forms of the published APIs a resource has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Dates as in mail, paths, an envelope of URIs (reference: rest-voice §3).
    Of2010,
    /// ISO dates, absolute URLs, `meta`.
    V1,
}

/// Where a resource is shown.
pub(crate) struct Shown<'a> {
    pub(crate) account: AccountSid,
    /// What paths of it begin with: the account's, or scheme, host and version.
    pub(crate) base: &'a str,
    pub(crate) book: &'a Book,
}

/// One kind of the office's resources.
pub(crate) trait Resource: Send + Sync + 'static {
    const KIND: Kind;
    /// What it hangs below, if anything.
    const PARENT: Option<Kind> = None;
    /// The path of its list, with `{parent}`.
    const PATH: &'static str;
    const FORM: Form = Form::Of2010;
    /// The name of the rows in a list.
    const LIST: &'static str;
    const FIELDS: &'static [Field];
    /// How many there may be below one parent, and the number of the error beyond.
    const MOST: (usize, u32) = (10_000, 20001);

    /// The names a form may have beside its fields'.
    const MORE: &'static [&'static str] = &[];

    /// The sid of a new one, if it is no random one.
    fn sid(_body: &Map<String, Value>, _form: &Params, _api: &Api) -> Option<String> {
        None
    }

    /// Looks at a form that makes one or changes one, with the fields it has said already in the body.
    fn check(_making: &Making<'_>, _body: &mut Map<String, Value>) -> Result<(), ApiError> {
        Ok(())
    }

    /// Whether one may go.
    fn may_go(_book: &Book, _entry: &Entry) -> Result<(), ApiError> {
        Ok(())
    }

    /// What goes with it.
    fn goes_along(_book: &Book, _entry: &Entry) -> Vec<EntryKey> {
        Vec::new()
    }

    /// Looks at the query of a list.
    fn check_query(_query: &Params) -> Result<(), ApiError> {
        Ok(())
    }

    /// Whether a list with this query shows it.
    fn is_wanted(_query: &Params, _entry: &Entry) -> bool {
        true
    }

    /// Adds what is no field, or takes away what is not to be seen.
    fn show(_entry: &Entry, _at: &Shown<'_>, _shown: &mut Map<String, Value>) {}
}

/// What is published as required is, of a change too.
pub(crate) fn required(making: &Making<'_>, param: &str, code: u32) -> Result<(), ApiError> {
    match making.form.text(param) {
        Some(_) => Ok(()),
        None => Err(ApiError::new(code, format!("{param} is missing"))),
    }
}

/// A resource being made or changed.
pub(crate) struct Making<'a> {
    pub(crate) book: &'a Book,
    pub(crate) form: &'a Params,
    /// The one that is changed.
    pub(crate) old: Option<&'a Entry>,
}

/// Everything that can be done with a resource.
pub(crate) fn routes<R: Resource>() -> Router<Api> {
    one::<R>(get(fetch::<R>).post(update::<R>).delete(delete::<R>))
}

/// The same without changing one.
pub(crate) fn routes_without_update<R: Resource>() -> Router<Api> {
    one::<R>(get(fetch::<R>).delete(delete::<R>))
}

fn one<R: Resource>(instance: axum::routing::MethodRouter<Api>) -> Router<Api> {
    let list = get(list::<R>).post(create::<R>);
    Router::new()
        .route(&format!("{}.json", R::PATH), list.clone())
        .route(R::PATH, list)
        .route(&format!("{}/{{sid}}", R::PATH), instance)
}

/// What stands between slashes in the path.
pub(crate) struct Names {
    parent: String,
    sid: String,
}

impl Names {
    fn of(pairs: Vec<(String, String)>) -> Self {
        let value = |name: &str| pairs.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone());
        let plain = |text: String| text.strip_suffix(".json").map(str::to_owned).unwrap_or(text);
        Self { parent: value("parent").unwrap_or_default(), sid: value("sid").map(plain).unwrap_or_default() }
    }
}

type Pairs = Path<Vec<(String, String)>>;

/// GET: newest first, the file's last.
pub(crate) async fn list<R: Resource>(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path(pairs): Pairs,
    origin: Origin,
) -> Result<Json<Value>, ApiError> {
    let names = Names::of(pairs);
    let book = api.office.view();
    parent_there::<R>(&book, &names, &uri)?;
    let query = Params::read(uri.query().unwrap_or_default().as_bytes());
    let paging = Paging::read(&query)?;
    R::check_query(&query)?;
    let mut rows = book.list(R::KIND, &names.parent);
    rows.retain(|entry| R::is_wanted(&query, entry));
    let key = |entry: &Arc<Entry>| (entry.created.unwrap_or_default(), entry.key.sid.clone());
    let rows = paging.among(rows, key)?;
    let base = base::<R>(&api, &origin);
    let at = Shown { account: api.account_sid, base: &base, book: &book };
    let shown = |entry: &Arc<Entry>| show::<R>(entry, &at);
    Ok(Json(match R::FORM {
        Form::Of2010 => paging.envelope(uri.path(), R::LIST, rows, key, shown),
        Form::V1 => paging.meta(&format!("{base}{}", path_below_version(&uri)), R::LIST, rows, key, shown),
    }))
}

/// POST: makes one; answered once it is stored and holds.
pub(crate) async fn create<R: Resource>(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path(pairs): Pairs,
    origin: Origin,
    form: Params,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    let names = Names::of(pairs);
    let entry = make::<R>(&api, &names.parent, &form, &uri, |_| Ok(())).await?;
    Ok((StatusCode::CREATED, Json(shown::<R>(&api, &origin, &entry))))
}

/// Makes one; `adds` puts into the body what no field says.
pub(crate) async fn make<R: Resource>(
    api: &Api,
    parent: &str,
    form: &Params,
    uri: &Uri,
    adds: impl FnOnce(&mut Map<String, Value>) -> Result<(), ApiError>,
) -> Result<Arc<Entry>, ApiError> {
    note_unknown::<R>(form);
    let names = Names { parent: parent.to_owned(), sid: String::new() };
    let entry = api.office.change(|draft| {
        parent_there::<R>(&draft.book, &names, uri)?;
        let (most, code) = R::MOST;
        if draft.book.list(R::KIND, parent).len() >= most {
            return Err(ApiError::new(code, format!("There are {most} already, the most there may be")));
        }
        let mut body = Map::new();
        fields::read(R::FIELDS, form, &mut body)?;
        R::check(&Making { book: &draft.book, form, old: None }, &mut body)?;
        adds(&mut body)?;
        let sid = match R::sid(&body, form, api) {
            Some(sid) => sid,
            None => random_sid(R::KIND.prefix())?,
        };
        let key = EntryKey { kind: R::KIND, parent: parent.to_owned(), sid };
        Ok(draft.put(new_entry(key, body, draft.now)))
    });
    entry.await
}

/// GET: one.
pub(crate) async fn fetch<R: Resource>(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path(pairs): Pairs,
    origin: Origin,
) -> Result<Json<Value>, ApiError> {
    let names = Names::of(pairs);
    let book = api.office.view();
    parent_there::<R>(&book, &names, &uri)?;
    let entry = there::<R>(&book, &names, &uri)?;
    Ok(Json(shown::<R>(&api, &origin, &entry)))
}

/// POST: changes what it names.
pub(crate) async fn update<R: Resource>(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path(pairs): Pairs,
    origin: Origin,
    form: Params,
) -> Result<Json<Value>, ApiError> {
    note_unknown::<R>(&form);
    let names = Names::of(pairs);
    let entry = api.office.change(|draft| {
        parent_there::<R>(&draft.book, &names, &uri)?;
        let old = there::<R>(&draft.book, &names, &uri)?;
        let mut entry = Entry::clone(&old);
        fields::read(R::FIELDS, &form, &mut entry.body)?;
        let making = Making { book: &draft.book, form: &form, old: Some(&old) };
        R::check(&making, &mut entry.body)?;
        entry.created = entry.created.or(Some(draft.now));
        entry.updated = Some(draft.now);
        Ok(draft.put(entry))
    });
    Ok(Json(shown::<R>(&api, &origin, &*entry.await?)))
}

/// DELETE.
pub(crate) async fn delete<R: Resource>(
    _: Authorized,
    State(api): State<Api>,
    OriginalUri(uri): OriginalUri,
    Path(pairs): Pairs,
) -> Result<StatusCode, ApiError> {
    let names = Names::of(pairs);
    let deleted = api.office.change(|draft: &mut Draft| {
        parent_there::<R>(&draft.book, &names, &uri)?;
        let entry = there::<R>(&draft.book, &names, &uri)?;
        R::may_go(&draft.book, &entry)?;
        for key in R::goes_along(&draft.book, &entry) {
            draft.remove(&key);
        }
        draft.remove(&entry.key);
        Ok(())
    });
    deleted.await?;
    Ok(StatusCode::NO_CONTENT)
}

/// An entry the API makes.
pub(crate) fn new_entry(key: EntryKey, body: Map<String, Value>, now: Timestamp) -> Entry {
    Entry { key, created: Some(now), updated: Some(now), body, origin: config::Origin::Rest }
}

/// A resource as its answers have it.
pub(crate) fn show<R: Resource>(entry: &Entry, at: &Shown<'_>) -> Value {
    let mut shown = Map::new();
    let date = |at: Option<Timestamp>| match R::FORM {
        Form::Of2010 => at.map(Timestamp::rfc2822),
        Form::V1 => at.map(Timestamp::iso8601),
    };
    let path = R::PATH.replace("{parent}", &entry.key.parent);
    shown.insert("sid".to_owned(), json!(entry.key.sid));
    shown.insert("account_sid".to_owned(), json!(at.account));
    shown.insert("date_created".to_owned(), json!(date(entry.created)));
    shown.insert("date_updated".to_owned(), json!(date(entry.updated)));
    match R::FORM {
        Form::Of2010 => {
            shown.insert("uri".to_owned(), json!(format!("{}{path}/{}.json", at.base, entry.key.sid)))
        }
        Form::V1 => shown.insert("url".to_owned(), json!(format!("{}{path}/{}", at.base, entry.key.sid))),
    };
    fields::show(R::FIELDS, &entry.body, &mut shown);
    R::show(entry, at, &mut shown);
    Value::Object(shown)
}

pub(crate) fn shown<R: Resource>(api: &Api, origin: &Origin, entry: &Entry) -> Value {
    let base = base::<R>(api, origin);
    show::<R>(entry, &Shown { account: api.account_sid, base: &base, book: &api.office.view() })
}

fn base<R: Resource>(api: &Api, origin: &Origin) -> String {
    match R::FORM {
        Form::Of2010 => format!("/2010-04-01/Accounts/{}", api.account_sid),
        Form::V1 => format!("{}/v1", origin.0),
    }
}

fn path_below_version(uri: &Uri) -> &str {
    uri.path().strip_prefix("/v1").unwrap_or(uri.path())
}

fn parent_there<R: Resource>(book: &Book, names: &Names, uri: &Uri) -> Result<(), ApiError> {
    match R::PARENT {
        Some(kind) if book.get(kind, "", &names.parent).is_none() => Err(ApiError::not_found(uri.path())),
        Some(_) | None => Ok(()),
    }
}

fn there<R: Resource>(book: &Book, names: &Names, uri: &Uri) -> Result<Arc<Entry>, ApiError> {
    let entry = book.get(R::KIND, &names.parent, &names.sid);
    entry.cloned().ok_or_else(|| ApiError::not_found(uri.path()))
}

fn note_unknown<R: Resource>(form: &Params) {
    let known: Vec<&str> = R::FIELDS.iter().map(|field| field.param).chain(R::MORE.iter().copied()).collect();
    form.note_unknown(&known);
}

/// Two letters and 128 bits of the system's chance.
pub(crate) fn random_sid(prefix: &str) -> Result<String, ApiError> {
    Ok(format!("{prefix}{}", random_hex(16)?))
}

/// So many bytes of the system's chance, two digits each.
pub(crate) fn random_hex(bytes: usize) -> Result<String, ApiError> {
    use ring::rand::SecureRandom as _;
    let mut buffer = vec![0; bytes];
    ring::rand::SystemRandom::new()
        .fill(&mut buffer)
        .map_err(|_| ApiError::new(20500, "The system gives no random numbers"))?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}
