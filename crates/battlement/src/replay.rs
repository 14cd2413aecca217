//! A request, kept so that it can be sent again.

use bytes::Bytes;
use http::{
    Extensions, HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, request::Parts,
};
use http_body::Body;

use crate::call::{Attempt, Unreadable, take_bytes};

/// Everything that a request consists of.
pub(crate) struct Replay {
    method: Method,
    uri: Uri,
    version: Version,
    headers: Headers,
    /// If they hold more than what is ours.
    extensions: Option<Extensions>,
    body: Bytes,
}

impl Replay {
    /// Takes note of a request whose body is in memory, and hands it back as it was.
    pub(crate) fn of<B>(request: Request<B>) -> Result<(Self, Request<B>), Unreadable>
    where
        B: Body<Data = Bytes> + From<Bytes> + Unpin,
        B::Error: Into<crate::BoxError>,
    {
        let (parts, body) = request.into_parts();
        let body = take_bytes(body)?;
        let Parts { method, uri, version, headers, extensions, .. } = &parts;
        let ours = usize::from(extensions.get::<Attempt>().is_some());
        let replay = Self {
            method: method.clone(),
            uri: uri.clone(),
            version: *version,
            headers: Headers::pack(headers),
            extensions: (extensions.len() > ours).then(|| extensions.clone()),
            body: body.clone(),
        };
        Ok((replay, Request::from_parts(parts, B::from(body))))
    }

    /// What it says.
    #[cfg(feature = "json-schema")]
    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    /// The same request, for another attempt.
    ///
    /// # Errors
    ///
    /// If it would not be the same, which cannot be.
    pub(crate) fn request<B: From<Bytes>>(
        &self,
        attempt: Attempt,
    ) -> Result<Request<B>, Unreadable> {
        let mut request = Request::new(B::from(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.version_mut() = self.version;
        *request.headers_mut() = self.headers.unpack().ok_or_else(Unreadable::lost)?;
        if let Some(extensions) = &self.extensions {
            *request.extensions_mut() = extensions.clone();
        }
        request.extensions_mut().insert(attempt);
        Ok(request)
    }
}

/// Headers in one piece of memory.
///
/// A clone of a `HeaderMap` costs two allocations, and one more for each value that was made from a
/// string; and hardly any call needs it.
struct Headers {
    count: usize,
    /// Of each: the lengths of name and value, whether it is a secret, name, value.
    packed: Vec<u8>,
}

const LENGTH: usize = size_of::<u32>();

impl Headers {
    fn pack(headers: &HeaderMap) -> Self {
        let size = |(name, value): (&HeaderName, &HeaderValue)| {
            2 * LENGTH + 1 + name.as_str().len() + value.len()
        };
        let mut packed = Vec::with_capacity(headers.iter().map(size).sum());
        for (name, value) in headers {
            for part in [name.as_ref(), value.as_bytes()] {
                let part: &[u8] = part;
                packed.extend_from_slice(&(part.len() as u32).to_ne_bytes());
            }
            packed.push(u8::from(value.is_sensitive()));
            packed.extend_from_slice(name.as_ref());
            packed.extend_from_slice(value.as_bytes());
        }
        Self { count: headers.len(), packed }
    }

    fn unpack(&self) -> Option<HeaderMap> {
        let mut headers = HeaderMap::try_with_capacity(self.count).ok()?;
        let mut rest = &*self.packed;
        while !rest.is_empty() {
            let name = u32::from_ne_bytes(take(&mut rest, LENGTH)?.try_into().ok()?) as usize;
            let value = u32::from_ne_bytes(take(&mut rest, LENGTH)?.try_into().ok()?) as usize;
            let is_sensitive = take(&mut rest, 1)? == [1];
            let name = HeaderName::from_bytes(take(&mut rest, name)?).ok()?;
            let mut value = HeaderValue::from_bytes(take(&mut rest, value)?).ok()?;
            value.set_sensitive(is_sensitive);
            headers.try_append(name, value).ok()?;
        }
        Some(headers)
    }
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (part, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_out_as_they_went_in() {
        let mut headers = HeaderMap::new();
        let mut key = HeaderValue::from_static("Bearer secret");
        key.set_sensitive(true);
        headers.insert("authorization", key);
        headers.append("x-many", HeaderValue::from_static("1"));
        headers.append("accept", HeaderValue::from_static(""));
        headers.append("x-many", HeaderValue::from_bytes(b"\xff2").unwrap());
        let again = Headers::pack(&headers).unpack().unwrap();
        assert_eq!(again, headers);
        assert!(again.iter().eq(headers.iter()), "in the same order");
        assert!(again["authorization"].is_sensitive() && !again["accept"].is_sensitive());
        assert_eq!(Headers::pack(&HeaderMap::new()).unpack(), Some(HeaderMap::new()));
    }
}
