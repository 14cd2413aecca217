//! Where requests go that do not say it themselves.

use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};

/// The beginning of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Base {
    scheme: Scheme,
    authority: Authority,
    /// Without a slash at its end.
    path: Box<str>,
}

/// The address is not one of a server: it needs a scheme and a host, and no query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not of the form https://host/path")]
pub struct InvalidBase(Box<str>);

impl Base {
    pub(crate) fn parse(url: &str) -> Result<Self, InvalidBase> {
        // What is behind a question mark may be a key.
        let invalid = || InvalidBase(url.split('?').next().unwrap_or_default().into());
        let parts = url.parse::<Uri>().map_err(|_| invalid())?.into_parts();
        match (parts.scheme, parts.authority, parts.path_and_query) {
            (Some(scheme), Some(authority), Some(path)) if path.query().is_none() => {
                Ok(Self { scheme, authority, path: path.path().trim_end_matches('/').into() })
            }
            _ => Err(invalid()),
        }
    }

    /// The whole address of a request; one that is whole stays as it is.
    pub(super) fn of(&self, uri: &Uri) -> Option<Uri> {
        if uri.authority().is_some() { None } else { self.instead_of(uri) }
    }

    /// The address of a request that goes here, wherever it was to go.
    pub(crate) fn instead_of(&self, uri: &Uri) -> Option<Uri> {
        let own = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let path = if self.path.is_empty() {
            uri.path_and_query().cloned()
        } else {
            PathAndQuery::try_from(format!("{}{own}", self.path)).ok()
        };
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
        Uri::from_parts(parts).ok()
    }

    /// The address itself.
    pub(super) fn uri(&self) -> Option<Uri> {
        self.of(&Uri::from_static("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_appended_and_whole_addresses_stay() {
        let check = |base: &str, uri: &'static str, expected: Option<&str>| {
            let whole = Base::parse(base).unwrap().of(&Uri::from_static(uri));
            assert_eq!(whole.map(|uri| uri.to_string()).as_deref(), expected, "{base} {uri}");
        };
        check("https://llm.example", "/v1/models?a=b", Some("https://llm.example/v1/models?a=b"));
        check("https://llm.example/", "/v1/models", Some("https://llm.example/v1/models"));
        check("http://[::1]:8000/v1/", "/models", Some("http://[::1]:8000/v1/models"));
        check("https://llm.example", "https://other.example/v1", None);
    }

    #[test]
    fn what_is_no_server_is_an_error() {
        for url in ["", "llm.example", "/v1", "https://", "https://h/v1?key=1", "https:// h"] {
            assert!(Base::parse(url).is_err(), "{url:?}");
        }
    }
}
