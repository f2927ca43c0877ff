//! `file:` URLs: documents and sounds in one folder of the machine.
//!
//! `file:welcome.xml` and `file:///menu/main.xml` name files below the documents folder, whatever the current
//! folder is; nothing outside of it can be read, not by `..` and not through a link, and nothing that is no document
//! and no sound by its name: the configuration lies there too.

use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use percent_encoding::percent_decode_str;
use twiml::FetchFailure;
use url::Url;

use super::failure::{BAD_URL, FAILED, TOO_LARGE, failure};

/// A file's content and what it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) content_type: &'static str,
    /// Changes when the file does, like an `ETag`.
    pub(super) tag: String,
    /// `None` when the tag is the known one.
    pub(super) body: Option<Vec<u8>>,
}

/// Reads the file a URL names, unless its tag is `known`: on a thread that may wait for the disk, and in one go, as each
/// way there and back takes longer than what is done there.
pub(super) async fn read(
    root: Option<&Path>,
    url: &Url,
    known: Option<&str>,
    bytes_max: usize,
) -> Result<File, FetchFailure> {
    let (root, url, known) = (root.map(Path::to_owned), url.clone(), known.map(str::to_owned));
    let work = move || read_now(root.as_deref(), &url, known.as_deref(), bytes_max);
    match tokio::task::spawn_blocking(work).await {
        Ok(read) => read,
        Err(error) => Err(failure(FAILED, error.to_string())),
    }
}

fn read_now(
    root: Option<&Path>,
    url: &Url,
    known: Option<&str>,
    bytes_max: usize,
) -> Result<File, FetchFailure> {
    let Some(root) = root else {
        return Err(failure(BAD_URL, "file: URLs are not served: no documents folder is configured"));
    };
    let path = locate(root, url)?;
    let told = |error: io::Error| failure(FAILED, format!("{}: {error}", url.path()));
    let file = fs::File::open(&path).map_err(told)?;
    let metadata = file.metadata().map_err(told)?;
    if !metadata.is_file() {
        return Err(failure(FAILED, format!("{}: not a file", url.path())));
    }
    // Whatever else lies there, the configuration and its passwords among it, is nobody's document.
    let Some(content_type) = content_type(&path) else {
        let why = "not a document or a sound by its name, which ends in .xml, .txt, .wav, .mp3 …";
        return Err(failure(FAILED, format!("{}: {why}", url.path())));
    };
    let tag = format!("{}-{}.{:09}", metadata.len(), metadata.mtime(), metadata.mtime_nsec());
    if known == Some(&tag) {
        return Ok(File { content_type, tag, body: None });
    }
    let mut body = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut body).map_err(told)?;
    if body.len() > bytes_max {
        return Err(failure(TOO_LARGE, format!("{} is larger than {bytes_max} bytes", url.path())));
    }
    Ok(File { content_type, tag, body: Some(body) })
}

/// Puts parameters of the request where a document's name asks for them: `menu-{Digits}.xml`, requested by a
/// `<Gather>` in which 1 was pressed, is `menu-1.xml`. So a menu needs no web server. A value that is not one
/// short word is left out, and the name is then nobody's.
pub(super) fn fill(mut url: Url, params: &[(String, String)]) -> Url {
    if !url.path().contains("%7B") {
        return url;
    }
    let mut path = url.path().to_owned();
    for (name, value) in params {
        let word = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'#' | b'_' | b'-');
        if !value.is_empty() && value.len() <= WORD_BYTES_MAX && value.bytes().all(word) {
            path = path.replace(&format!("%7B{name}%7D"), &value.replace('#', "%23"));
        }
    }
    url.set_path(&path);
    url
}

/// A template with the request's parameters in it, in UTF-8.
pub(super) fn rendered(body: &[u8], params: &[(String, String)]) -> Result<Vec<u8>, FetchFailure> {
    let text = twiml::decode(body, None).map_err(|finding| failure(finding.code, finding.message))?;
    twiml::fill_template(&text, params)
        .map(String::into_bytes)
        .map_err(|finding| failure(finding.code, finding.message))
}

/// Bytes of a parameter that may stand in a file's name.
const WORD_BYTES_MAX: usize = 64;

/// The real path of a URL's file, which lies below the root's.
fn locate(root: &Path, url: &Url) -> Result<PathBuf, FetchFailure> {
    let not_found = |why: &str| failure(FAILED, format!("{}: {why}", url.path()));
    if url.host_str().is_some_and(|host| !host.is_empty() && host != "localhost") {
        return Err(failure(BAD_URL, format!("`{url}` names a host; a local file is file:name")));
    }
    let decoded = percent_decode_str(url.path()).decode_utf8().map_err(|_| not_found("not UTF-8"))?;
    if decoded.contains('\0') {
        return Err(not_found("not a file name"));
    }
    // A configuration file named without a folder lies in this one.
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let root = fs::canonicalize(root)
        .map_err(|error| not_found(&format!("the documents folder cannot be read: {error}")))?;
    // A path written out in full may itself begin with the folder's.
    let wanted = Path::new(&*decoded);
    let below: PathBuf = match wanted.strip_prefix(&root) {
        Ok(below) => below.into(),
        Err(_) => wanted.components().filter(|part| *part != Component::RootDir).collect(),
    };
    if below.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
        return Err(not_found("outside of the documents folder"));
    }
    let path = fs::canonicalize(root.join(below)).map_err(|error| not_found(&error.to_string()))?;
    if path.starts_with(&root) { Ok(path) } else { Err(not_found("outside of the documents folder")) }
}

/// The type a web server would give a file, by its name.
pub(super) fn content_type(path: &Path) -> Option<&'static str> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    Some(match extension.as_str() {
        "xml" | "twiml" | "texml" => "text/xml",
        "txt" => "text/plain",
        "html" | "htm" => "text/html",
        "wav" => "audio/wav",
        "mp3" => "audio/mpeg",
        "aif" | "aiff" | "aifc" => "audio/aiff",
        "gsm" => "audio/gsm",
        "ul" | "ulaw" | "mulaw" => "audio/ulaw",
        "au" => "audio/basic",
        "flac" => "audio/flac",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "m4a" | "mp4" => "audio/mp4",
        "aac" => "audio/aac",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(root: &Path, url: &str) -> Result<File, u32> {
        read(Some(root), &url.parse().unwrap(), None, 100).await.map_err(|failure| failure.code)
    }

    #[tokio::test]
    async fn files_are_found_below_the_folder_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("documents");
        fs::create_dir_all(root.join("menu")).unwrap();
        fs::write(root.join("welcome.xml"), "<Response/>").unwrap();
        fs::write(root.join("menu/main menu.XML"), "<Response/>").unwrap();
        fs::write(root.join("hello.txt"), "x").unwrap();
        fs::write(root.join("notes"), "x").unwrap();
        fs::write(root.join("big.wav"), [0; 101]).unwrap();
        fs::write(root.join("tandem.toml"), "auth_token = 1").unwrap();
        fs::create_dir(root.join("state")).unwrap();
        fs::write(root.join("state/key-seed"), "x").unwrap();
        std::os::unix::fs::symlink(root.join("tandem.toml"), root.join("menu/link.xml")).unwrap();
        fs::write(folder.path().join("secret.txt"), "secret").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret.txt"), root.join("link.txt")).unwrap();
        let full = format!("file://{}/welcome.xml", root.display());
        for (url, expected) in [
            ("file:welcome.xml", Ok("text/xml")),
            ("file:///welcome.xml", Ok("text/xml")),
            (&full, Ok("text/xml")),
            ("file:./welcome.xml?x=1", Ok("text/xml")),
            ("file:menu/main%20menu.XML", Ok("text/xml")),
            ("file:hello.txt", Ok("text/plain")),
            ("file:notes", Err(11200)),
            ("file:tandem.toml", Err(11200)),
            ("file:state/key-seed", Err(11200)),
            ("file:menu/link.xml", Err(11200)),
            ("file:missing.xml", Err(11200)),
            ("file:menu", Err(11200)),
            ("file:", Err(11200)),
            ("file:link.txt", Err(11200)),
            ("file:../secret.txt", Err(11200)),
            ("file:menu/..%2f..%2fsecret.txt", Err(11200)),
            ("file:hello.txt%00.xml", Err(11200)),
            ("file:%ff.xml", Err(11200)),
            ("file:///etc/passwd", Err(11200)),
            ("file://elsewhere/welcome.xml", Err(11100)),
            ("file:big.wav", Err(11750)),
        ] {
            assert_eq!(get(&root, url).await.map(|file| file.content_type), expected, "{url}");
        }
        let none = read(None, &"file:welcome.xml".parse().unwrap(), None, 100).await.unwrap_err();
        assert_eq!(none.code, 11100);
        let url: Url = "file:hello.txt".parse().unwrap();
        let first = read(Some(&root), &url, None, 100).await.unwrap();
        let again = read(Some(&root), &url, Some(&first.tag), 100).await.unwrap();
        assert_eq!((first.body, again.body), (Some(b"x".to_vec()), None));
    }

    #[test]
    fn parameters_stand_in_for_their_names() {
        let params = |digits: &str| vec![("Digits".to_owned(), digits.to_owned())];
        for (url, digits, expected) in [
            ("file:///m/menu-{Digits}.xml", "1", "file:///m/menu-1.xml"),
            ("file:///m/menu-{Digits}.xml", "*#", "file:///m/menu-*%23.xml"),
            ("file:///m/menu-{Digits}.xml", "../../x", "file:///m/menu-%7BDigits%7D.xml"),
            ("file:///m/menu-{Digits}.xml", "", "file:///m/menu-%7BDigits%7D.xml"),
            ("file:///m/menu-{Other}.xml", "1", "file:///m/menu-%7BOther%7D.xml"),
            ("file:///m/plain.xml", "1", "file:///m/plain.xml"),
        ] {
            assert_eq!(fill(url.parse().unwrap(), &params(digits)).as_str(), expected);
        }
    }
}
